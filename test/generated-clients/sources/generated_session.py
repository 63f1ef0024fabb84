"""Keeps a session with the package that openapi-generator generates; openapi-generator.slow.test.ts runs it."""

import json
import sys
from http.cookies import SimpleCookie

import openapi_client as api

url, username, password = sys.argv[1:]
seen = []


class CookieClient(api.ApiClient):
    """Keeps the cookies of one server, which the generated client leaves to its caller."""

    cookies = SimpleCookie()

    def call_api(self, *args, **kwargs):
        response = super().call_api(*args, **kwargs)
        for text in response.headers.getlist("set-cookie"):
            self.cookies.load(text)
        self.cookie = "; ".join(f"{key}={cookie.value}" for key, cookie in self.cookies.items() if cookie.value)
        return response


def step(name, response):
    seen.append([name, response.status_code])
    return response.data


client = CookieClient(api.Configuration(host=url))
accounts, posts = api.AccountsApi(client), api.PostsApi(client)
reactions, sessions = api.ReactionsApi(client), api.SessionsApi(client)

credentials = {"username": username, "password": password}
step("sign up", accounts.create_account_with_http_info(api.CreateAccountRequest(**credentials)))
step("log in", sessions.create_session_with_http_info(api.CreateSessionRequest(**credentials)))
post = step("post", posts.create_post_with_http_info(api.CreatePostRequest(text="From Python")))
for value in ["like", "dislike"]:
    step(value, reactions.set_reaction_with_http_info(post.id, api.SetReactionRequest(value=value)))
step("refresh", sessions.refresh_session_with_http_info())
post = step("read", posts.read_post_with_http_info(post.id))
assert post.edited_at is None and post.viewer.reaction == "dislike"
step("confirm", sessions.confirm_session_with_http_info(api.ConfirmSessionRequest(password=password)))
export = step("export", accounts.export_account_with_http_info())
assert json.loads(export.splitlines()[-1]) == {"end": True}
step("log out", sessions.end_session_with_http_info())
try:
    sessions.read_session()
except api.exceptions.UnauthorizedException as error:
    seen.append(["refused", error.status])

print(json.dumps(seen))
