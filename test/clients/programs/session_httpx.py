"""A whole session with httpx: python3 session_httpx.py URL USERNAME PASSWORD"""

import sys

import httpx

url, username, password = sys.argv[1:]

with httpx.Client(base_url=f"{url}/v1", timeout=60) as client:

    def call(step, method, path, body=None):
        response = client.request(method, path, json=body)
        print(step, response.status_code, ",".join(sorted(client.cookies.keys())))
        return response.json() if response.content else None

    credentials = {"username": username, "password": password}
    call("sign-up", "POST", "/accounts", credentials)
    call("log-in", "POST", "/session", credentials)
    post = call("post", "POST", "/posts", {"text": "Hello from httpx."})
    call("like", "PUT", f"/posts/{post['id']}/reaction", {"value": "like"})
    call("dislike", "PUT", f"/posts/{post['id']}/reaction", {"value": "dislike"})
    call("refresh", "POST", "/session/refresh")
    call("read", "GET", "/session")
    call("log-out", "DELETE", "/session")
    call("refused", "GET", "/session")
