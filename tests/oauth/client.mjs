// openid-client at `/introspect` and `/revoke`, found by discovery, and jose with the key set. What
// the service says is printed for `oauth_clients.rs` to judge.
import { readFileSync } from 'node:fs';
import * as jose from 'jose';
import * as client from 'openid-client';

const given = JSON.parse(readFileSync(0, 'utf8'));
const methods = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
};
// The issuer has a name and TLS; the test has neither.
const atHome = (url, options) => fetch(String(url).replace(given.issuer, given.url), options);
const configured = (secret) =>
  client.discovery(new URL(given.issuer), given.id, undefined, methods[given.method](secret), {
    algorithm: 'oauth2',
    [client.customFetch]: atHome,
  });
const right = await configured(given.secret);
const wrong = await configured('not the secret of it');

const refusal = (error) => ({ status: error.status ?? error.cause?.status, error: error.error ?? error.code });
const introspect = async (token, hint, by = right, more = {}) => {
  try {
    const fields = hint ? { token_type_hint: hint, ...more } : more;
    const told = await client.tokenIntrospection(by, token, fields);
    return { status: 200, active: told.active };
  } catch (error) {
    return refusal(error);
  }
};
const revoke = async (token, hint, by = right) => {
  try {
    await client.tokenRevocation(by, token, hint && { token_type_hint: hint });
    return 200;
  } catch (error) {
    return refusal(error).status;
  }
};

const keys = jose.createRemoteJWKSet(new URL(right.serverMetadata().jwks_uri), { [jose.customFetch]: atHome });
const rules = { issuer: given.issuer, audience: 'portcullis', typ: 'at+jwt' };
const token = await jose.jwtVerify(given.access, keys, rules);
const key = await jose.importPKCS8(given.key, given.alg);
const theirs = await new jose.SignJWT(token.payload)
  .setProtectedHeader({ kid: token.protectedHeader.kid, typ: 'at+jwt', alg: given.alg })
  .sign(key);
const told = {
  sub: token.payload.sub,
  typ: token.protectedHeader.typ,
  theirs: await introspect(theirs),
  live: await introspect(given.access, 'access_token'),
  refresh: await introspect(given.refresh),
  refresh_by_hint: await introspect(given.refresh, 'refresh_token'),
  garbage: await introspect('garbage'),
  // Overwritten by the client itself where it shows its secret in the form.
  two_ways: await introspect(given.access, undefined, right, { client_secret: given.secret }),
  wrong: await introspect(given.access, undefined, wrong),
  wrong_revocation: await revoke(given.access, undefined, wrong),
  still_live: await introspect(given.access),
  revocation: await revoke(given.access, 'access_token'),
  dead: await introspect(given.access),
  family_revocation: await revoke(given.refresh, 'refresh_token'),
  dead_refresh: await introspect(given.refresh, 'refresh_token'),
};
process.stdout.write(JSON.stringify(told));
