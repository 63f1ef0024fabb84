"""A whole session with Python's own urllib and http.cookiejar: python3 session_urllib.py URL USERNAME PASSWORD"""

import json
import sys
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener

url, username, password = sys.argv[1:]
jar = CookieJar()
opener = build_opener(HTTPCookieProcessor(jar))


def call(step, method, path, body=None):
    request = Request(f"{url}/v1{path}", method=method)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        response = opener.open(request)
    except HTTPError as error:
        response = error
    with response:
        text = response.read()
    print(step, response.status, ",".join(sorted(cookie.name for cookie in jar)))
    return json.loads(text) if text else None


credentials = {"username": username, "password": password}
call("sign-up", "POST", "/accounts", credentials)
call("log-in", "POST", "/session", credentials)
post = call("post", "POST", "/posts", {"text": "Hello from urllib."})
call("like", "PUT", f"/posts/{post['id']}/reaction", {"value": "like"})
call("dislike", "PUT", f"/posts/{post['id']}/reaction", {"value": "dislike"})
call("refresh", "POST", "/session/refresh")
call("read", "GET", "/session")
call("log-out", "DELETE", "/session")
call("refused", "GET", "/session")
