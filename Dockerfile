# Two images from one compilation:
#
#     docker build --target service -t portcullis .
#     docker build --target module -t portcullis-redis .
#
# The service's has the program, the C library it needs, the certificates of the authorities and
# nothing else: no shell, no package manager. The module's is Redis (or Valkey, see REDIS) with the
# module loaded. Neither runs as root; both run with a read-only root.

# For Valkey: --build-arg REDIS=docker.io/valkey/valkey:9-bookworm
ARG BUILDER=docker.io/library/rust:1.95-bookworm
ARG REDIS=docker.io/library/redis:8-bookworm

FROM ${BUILDER} AS build
# Compiled with this profile; `demo` takes a third of the time.
ARG PROFILE=dist
RUN ls /usr/lib/llvm-*/lib/libclang.so >/dev/null 2>&1 || { apt-get -qq update && apt-get -qq -y --no-install-recommends install libclang-dev; }
WORKDIR /build
COPY . .
RUN PROFILE=$PROFILE CARGO_TARGET_DIR=/build/target package/compile
# What the program needs to run, and nobody else: its libraries, found by their loader.
RUN mkdir -p /service/etc/ssl/certs /state \
    && install -D "target/$PROFILE/portcullis" /service/usr/bin/portcullis \
    && ldd /service/usr/bin/portcullis | grep -o '/[^ ]*' | xargs -I{} install -D {} /service{} \
    && cp -L /etc/ssl/certs/ca-certificates.crt /service/etc/ssl/certs/ \
    && echo 'portcullis:x:65532:65532::/var/lib/portcullis:/sbin/nologin' >/service/etc/passwd \
    && echo 'portcullis:x:65532:' >/service/etc/group \
    && install -D "target/$PROFILE/libportcullis.so" /module/libportcullis.so

FROM scratch AS service
COPY --from=build /service /
COPY --from=build --chown=65532:65532 /state /var/lib/portcullis
USER 65532:65532
WORKDIR /var/lib/portcullis
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt OPS_ADDR=0.0.0.0:9464
# 9464 is for metrics and the description of the API: never publish it.
EXPOSE 3000 9464
ENTRYPOINT ["/usr/bin/portcullis"]
CMD ["serve"]
HEALTHCHECK --interval=10s --timeout=50s --start-period=10s CMD ["/usr/bin/portcullis", "health"]

FROM ${REDIS} AS module
COPY --from=build --chmod=755 /module/libportcullis.so /usr/lib/redis/modules/libportcullis.so
COPY --chmod=644 module/package/redis.conf /etc/redis/portcullis.conf
USER redis:redis
WORKDIR /data
VOLUME /data
EXPOSE 6379
# As the service wants it; without the service, give no --portcullis settings. Valkey's image has the
# same program under this name.
ENTRYPOINT ["redis-server", "/etc/redis/portcullis.conf", "--dir", "/data", "--protected-mode", "no"]
CMD ["--portcullis.require-confirm", "yes", "--portcullis.require-fence", "yes"]
HEALTHCHECK --interval=5s --timeout=3s CMD ["redis-cli", "PING"]
