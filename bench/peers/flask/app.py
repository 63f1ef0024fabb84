"""Posts and reactions on Flask and mongoengine. The session is a JWT in a cookie."""

import os
from datetime import datetime, timedelta, timezone
from functools import wraps

import bcrypt
import jwt
from flask import Flask, abort, g, request
from mongoengine import Document, connect
from mongoengine.fields import DateTimeField, IntField, ReferenceField, StringField

app = Flask(__name__)
key = os.environ["JWT_SIGN_KEY"]
cost = int(os.environ["BCRYPT_COST"])
connect(host=os.environ["MONGODB_URI"])


class Account(Document):
    username = StringField(required=True, unique=True, max_length=30)
    password = StringField(required=True)
    meta = {"collection": "accounts"}


class Post(Document):
    author = ReferenceField(Account, required=True)
    text = StringField(required=True, min_length=1, max_length=500)
    created_at = DateTimeField(required=True, default=lambda: datetime.now(timezone.utc))
    likes = IntField(default=0)
    dislikes = IntField(default=0)
    # An id does not tell which of several processes' posts of one second is newer.
    meta = {"collection": "posts", "indexes": ["-created_at"]}


class Reaction(Document):
    post = ReferenceField(Post, required=True, unique_with="account")
    account = ReferenceField(Account, required=True)
    value = StringField(required=True, choices=("like", "dislike"))
    meta = {"collection": "reactions"}


def show_account(account):
    return {"id": str(account.id), "username": account.username}


def show_post(post):
    return {
        "id": str(post.id),
        "author": show_account(post.author),
        "text": post.text,
        "createdAt": post.created_at.isoformat(),
        "counts": {"likes": post.likes, "dislikes": post.dislikes},
    }


def log_in(account, status):
    expires_at = datetime.now(timezone.utc) + timedelta(days=1)
    token = jwt.encode({"sub": str(account.id), "exp": expires_at}, key, algorithm="HS256")
    response = app.make_response((show_account(account), status))
    response.set_cookie("session", token, httponly=True, samesite="Lax", max_age=86_400)
    return response


def session_required(view):
    @wraps(view)
    def with_account(*args, **kwargs):
        try:
            claims = jwt.decode(request.cookies.get("session", ""), key, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            abort(401)
        g.account = Account.objects(id=claims["sub"]).first() or abort(401)
        return view(*args, **kwargs)

    return with_account


@app.post("/v1/accounts")
def sign_up():
    password = bcrypt.hashpw(request.json["password"].encode(), bcrypt.gensalt(cost))
    account = Account(username=request.json["username"], password=password.decode()).save()
    return log_in(account, 201)


@app.post("/v1/session")
def create_session():
    account = Account.objects(username=request.json["username"]).first() or abort(401)
    if not bcrypt.checkpw(request.json["password"].encode(), account.password.encode()):
        abort(401)
    return log_in(account, 200)


@app.get("/v1/session")
@session_required
def who_am_i():
    return show_account(g.account)


@app.post("/v1/posts")
@session_required
def create_post():
    post = Post(author=g.account, text=request.json["text"]).save()
    return show_post(post), 201


@app.get("/v1/posts/<post_id>")
def read_post(post_id):
    return show_post(Post.objects(id=post_id).first() or abort(404))


@app.get("/v1/posts")
def newest_posts():
    posts = Post.objects.order_by("-created_at").limit(min(int(request.args.get("limit", 20)), 100)).select_related()
    return {"items": [show_post(post) for post in posts]}


@app.put("/v1/posts/<post_id>/reaction")
@session_required
def react(post_id):
    value = request.json["value"]
    if value not in ("like", "dislike"):
        abort(400)
    post = Post.objects(id=post_id).first() or abort(404)
    before = Reaction.objects(post=post, account=g.account).modify(upsert=True, new=False, set__value=value)
    if before is None or before.value != value:
        changes = {f"inc__{value}s": 1}
        if before:
            changes[f"dec__{before.value}s"] = 1
        post = Post.objects(id=post_id).modify(new=True, **changes)
    return {"value": value, "counts": {"likes": post.likes, "dislikes": post.dislikes}}
