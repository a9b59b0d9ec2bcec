# The list of habits. `make` alone prints it.
export SQLX_OFFLINE ?= true

help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: built-demo ## the whole story on private servers, from building to logging out everywhere
	@cargo run --quiet --profile demo -p portcullis-tests --no-default-features --bin demo -- $(if $(CLUSTER),--cluster)

run: built-demo ## the same servers and the service, until Ctrl-C, with three commands to try; CLUSTER=1: on a Redis Cluster of six
	@cargo run --quiet --profile demo -p portcullis-tests --no-default-features --bin demo -- --stay $(if $(CLUSTER),--cluster)

test: built-tests ## every test, on real servers
	@cargo test --workspace --no-fail-fast; first=$$?; $(MAKE) --no-print-directory test-mysql && exit $$first

# The program together with the tests, so that what both are made of is compiled once. The tests take both
# as they are.
test test-mysql test-long: export PORTCULLIS_BUILT := yes
# Most of them wait for a server most of the time.
test test-mysql: export RUST_TEST_THREADS ?= $(shell expr 2 '*' "$$(nproc)")
built-tests: install
	@cargo build -p portcullis-module
	@cargo build --workspace --tests --bin portcullis

# The whole workspace is named so that nothing is built another time than by `make test`; the module's
# own tests need the allocator of a server and have no database.
test-mysql: built-tests ## the tests that have a database, on MySQL instead of MariaDB
	@if [ -x "$${CARGO_TARGET_DIR:-target}/servers/mysql/mysqld" ]; then \
		export PORTCULLIS_TEST_DATABASE=mysql; \
		cargo test --workspace --no-fail-fast --test api --test requirements --test faults --test migration; suites=$$?; \
		cargo test --workspace --exclude portcullis-module --lib -- cleanup:: lives:: lock:: outbox::position && exit $$suites; \
	else echo "MySQL is not here and nothing was tried on it: see what make install says"; fi

test-long: built-tests ## the tests that take minutes: soak, kills, races and random lives by the hundred
	@cargo test --workspace --no-fail-fast -- --ignored

fuzz: ## ten minutes of hostile bytes for the core; needs a nightly compiler and cargo-fuzz
	@cd module/core && for target in stored claims lives; do \
		cargo +nightly fuzz run $$target -- -max_total_time=$${FUZZ_SECONDS:-200} -max_len=4096 || exit 1; \
	done

lint: install-demo ## formatting and clippy, every warning an error
	@cargo fmt --all --check
	@cargo fmt --check --manifest-path module/core/fuzz/Cargo.toml
	@cargo clippy --workspace --all-targets -- -D warnings

audit: install ## licences, bans, sources and advisories of our crates; the SQL against the schema
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	@command -v cargo-sqlx >/dev/null || cargo install --locked sqlx-cli --no-default-features --features mysql,rustls
	@cargo deny check licenses bans sources
	@if cargo deny fetch db 2>/dev/null; then cargo deny check advisories; \
	else echo "audit: advisories not checked, their database is out of reach"; fi
	@cargo run --quiet -p portcullis-tests --no-default-features --bin queries -- cargo sqlx prepare --workspace --check -- --all-targets

bench: install-bench ## ten minutes of measurements, written to benches/RESULTS.md
	@cargo bench -p portcullis-benches --bench core -- --quick
	@cargo run --release --quiet -p portcullis-benches --bin server
	@$(MAKE) --no-print-directory sizing-page

bench-long: install-bench ## the same, criterion at length, and ten million revoked tokens
	@cargo bench -p portcullis-benches --bench core
	@cargo run --release --quiet -p portcullis-benches --bin server -- module long process service bill
	@$(MAKE) --no-print-directory sizing-page

sizing: install-bench ## what each request costs, measured, and api/docs/sizing.md computed from it
	@cargo run --quiet -p portcullis-benches --bin server -- bill
	@$(MAKE) --no-print-directory sizing-page

sizing-page: ## that page computed anew from what was measured
	@cargo run --quiet -p portcullis-sizing -- --page api/docs/sizing.md

db: install-demo ## describe the SQL anew (.sqlx/) after a query or a migration has changed
	@cargo run --quiet -p portcullis-tests --no-default-features --bin queries

package: install-package ## Debian packages and archives of both parts, in target/package
	@package/build

sign: ## sign the lists of digests in target/package, as SECURITY.md tells to check
	@package/sign

package-test: package install-trial ## those packages on a fresh Debian: install, log in, upgrade, purge; as root
	@package/try-debian

reproduce: package ## compile the last commit elsewhere and compare every byte of the packages
	@package/reproduce

images: install-images ## both container images, built, started and asked; the Kubernetes files, checked; as root
	@package/try-images
	@package/try-kubernetes

aarch64: install-aarch64 ## the module, compiled for aarch64 and loaded into a redis-server that qemu runs; as root
	@package/try-aarch64

docs: install-docs ## the documents as a site, links checked, in target/docs
	@package/docs

pictures: install ## the pictures of the pages in README.md, taken anew
	@cargo build -p portcullis-module
	@cargo build -p portcullis-api
	@cargo test -p portcullis-tests --test browser the_pictures_of_the_readme
	@mkdir -p api/docs/pictures && cp "$${CARGO_TARGET_DIR:-target}"/screenshots/readme/*.webp api/docs/pictures/

clean: ## remove everything that was built or started here
	@cargo clean

install: ## what this machine lacks for the tests
	@tests/install tests

# One by one, as the demo asks for them, so that nothing is built twice.
built-demo: install-demo
	@cargo build --profile demo -p portcullis-module
	@cargo build --profile demo -p portcullis-api
	@cargo build --profile demo -p portcullis-tests --no-default-features --bin demo

install-demo:
	@tests/install

install-bench:
	@tests/install bench

install-package install-trial install-images install-aarch64 install-docs: install-%:
	@tests/install $*

.PHONY: help demo run test built-tests test-mysql test-long fuzz lint audit bench bench-long sizing sizing-page db clean install built-demo install-demo install-bench package sign package-test reproduce images aarch64 docs pictures install-package install-trial install-images install-aarch64 install-docs
