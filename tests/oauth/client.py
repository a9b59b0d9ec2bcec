"""Authlib at `/introspect` and `/revoke`, and joserfc with the key set. What the service says is
printed for `oauth_clients.rs` to judge."""

import json
import sys

from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

given = json.load(sys.stdin)
metadata_url = given["url"] + "/.well-known/oauth-authorization-server"


def session(secret):
    return OAuth2Session(
        given["id"], secret,
        token_endpoint_auth_method=given["method"],
        revocation_endpoint_auth_method=given["method"],
        trust_env=False,
    )


right, wrong = session(given["secret"]), session("not the secret of it")
metadata = right.get(metadata_url, withhold_token=True).json()
at_home = lambda url: url.replace(given["issuer"], given["url"])
introspection = at_home(metadata["introspection_endpoint"])
revocation = at_home(metadata["revocation_endpoint"])


def introspect(token, hint=None, by=right):
    answer = by.introspect_token(introspection, token=token, token_type_hint=hint)
    told = answer.json()
    return {"status": answer.status_code, "active": told.get("active"), "error": told.get("error")}


def revoke(token, hint=None, by=right):
    return by.revoke_token(revocation, token=token, token_type_hint=hint).status_code


keys = KeySet.import_key_set(right.get(at_home(metadata["jwks_uri"]), withhold_token=True).json())
token = jwt.decode(given["access"], keys, algorithms=[given["alg"]])
told = {
    "sub": token.claims["sub"],
    "typ": token.header["typ"],
    "live": introspect(given["access"], "access_token"),
    "refresh": introspect(given["refresh"]),
    "refresh_by_hint": introspect(given["refresh"], "refresh_token"),
    "garbage": introspect("garbage"),
    "wrong": introspect(given["access"], by=wrong),
    "wrong_revocation": revoke(given["access"], by=wrong),
    "still_live": introspect(given["access"]),
    "revocation": revoke(given["access"], "access_token"),
    "dead": introspect(given["access"]),
    "family_revocation": revoke(given["refresh"], "refresh_token"),
    "dead_refresh": introspect(given["refresh"], "refresh_token"),
}
json.dump(told, sys.stdout)
