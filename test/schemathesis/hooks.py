"""Tells schemathesis how to log in, and which refusals a schema cannot say."""

import os
import secrets

import requests
import schemathesis
from schemathesis.specs.openapi.checks import (
    positive_data_acceptance,
    use_after_free,
)

URL = os.environ["ROOKERY_URL"]
PASSWORD = os.environ["ROOKERY_PASSWORD"]

# What a valid value is refused for: the details of problems, by the pointer's last member.
REFUSALS = {
    "password": ["Must", "Use fewer symbols"],
    "newPassword": ["Must", "Use fewer symbols"],
    "text": ["Must have at least one visible character.", "Must not contain"],
    "displayName": ["Must have at least one visible character.", "Must not contain"],
    "bio": ["Must not contain"],
    "name": ["Must have at least one visible character.", "Must not contain"],
    "recoveryCode": ["Must be a recovery code"],
    "body": ["Must have either code or recoveryCode.", "Must not have both code and recoveryCode."],
    "replyTo": ["Must be the id of an existing post."],
    "cursor": ["Must be a nextCursor of this list"],
    "to": ["Must not be before from.", "Must be at most 365 days after from."],
    "name": ["Must have at least one visible character.", "Must not contain"],
    "response": ["Must be a new passkey for the last options"],
    "passkey": ["Must not be present beside password."],
    "username": ["You cannot follow yourself."],
}


def is_known(fault):
    member = fault["pointer"].rsplit("/", 1)[-1]
    return any(fault["detail"].startswith(start) for start in REFUSALS.get(member, []))


@schemathesis.check
def valid_data_acceptance(ctx, response, case):
    """The check positive_data_acceptance, but for refusals that a schema cannot say."""
    if response.status_code == 400 and "json" in response.headers["content-type"][0]:
        problem = response.json()
        if problem["code"] == "validation" and all(map(is_known, problem["errors"])):
            return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def use_after_delete(ctx, response, case):
    """The check use_after_free, which takes a post's /reactions for a part of its /reaction."""
    if case.operation.path.endswith("/reactions"):
        return None
    return use_after_free(ctx, response, case)


@schemathesis.auth(refresh_interval=None)
class Session:
    """One confirmed session for all cases, and another account once a case has ended it."""

    session = None

    def get(self, case, context):
        if self.session is None or self.session.get(f"{URL}/v1/session").status_code != 200:
            self.session = requests.Session()
            name = f"u{secrets.token_hex(8)}"
            credentials = {"username": name, "password": PASSWORD}
            assert self.session.post(f"{URL}/v1/accounts", json=credentials).status_code == 201
            confirmed = self.session.post(f"{URL}/v1/session/confirm", json={"password": PASSWORD})
            assert confirmed.status_code == 200
        return self.session.cookies.get_dict()

    def set(self, case, data, context):
        case.cookies = {**(case.cookies or {}), **data}
