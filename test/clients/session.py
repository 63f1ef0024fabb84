"""Keeps a session with Python's httpx; test/clients/httpx.slow.test.ts runs it."""

import json
import sys

import httpx

url, username, password = sys.argv[1:]
seen = []

# trust_env=False: the machine's proxy settings must not apply to loopback.
with httpx.Client(base_url=f"{url}/v1", timeout=60, trust_env=False) as client:

    def step(name, response):
        seen.append([name, response.status_code, sorted(client.cookies.keys())])
        return response

    credentials = {"username": username, "password": password}
    step("sign up", client.post("/accounts", json=credentials))
    post = step("post", client.post("/posts", json={"text": "From httpx"})).json()
    step("like", client.put(f"/posts/{post['id']}/reaction", json={"value": "like"}))
    before = client.cookies["refresh"]
    step("refresh", client.post("/session/refresh"))
    assert client.cookies["refresh"] != before
    assert step("session", client.get("/session")).json()["account"]["username"] == username
    step("log out", client.delete("/session"))
    step("no session", client.get("/session"))
    step("log in", client.post("/session", json=credentials))

print(json.dumps(seen))
