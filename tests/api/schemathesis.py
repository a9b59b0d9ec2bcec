"""Logs in for schemathesis: as an administrator or a user, anew whenever the token may be dead."""

import os

import requests
import schemathesis

API = os.environ["PORTCULLIS_URL"] + "/api/v1/auth"
PASSWORD = os.environ["PORTCULLIS_PASSWORD"]
CLIENT = requests.auth._basic_auth_str("gateway", os.environ["PORTCULLIS_CLIENT_SECRET"])

tokens = {}


def bearer(name):
    if name not in tokens:
        body = {"email": f"{name}@example.com", "password": PASSWORD}
        answer = requests.post(f"{API}/login-enhanced", json=body, timeout=30)
        if answer.status_code == 401 and name != "root":
            return bearer("root")  # the user was deleted or disabled by what is being tried
        tokens[name] = "Bearer " + answer.json()["data"]["tokens"]["access"]["token"]
    return tokens[name]


@schemathesis.auth(refresh_interval=None)
class Login:
    def get(self, case, context):
        path = case.operation.path
        if path.endswith(("/introspect", "/revoke")):
            return CLIENT
        return bearer("root" if "/admin/" in path else "alice")

    def set(self, case, data, context):
        case.headers["Authorization"] = data


@schemathesis.hook
def before_call(context, case, kwargs):
    # The administrator who does all this must not end their own account: somebody else's instead.
    named = str(case.path_parameters.get("id", "")).lstrip("+0")
    if "/admin/users/" in case.operation.path and named == "1":
        case.path_parameters["id"] = 2


@schemathesis.hook
def after_call(context, case, response):
    if case.method != "GET" and response.status_code < 300:
        tokens.clear()
