"""A small keyspace with every type, and short ways to the browser's addresses."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from dashboard.accounts.models import User
from dashboard.keys.browsing import tree
from redisops.keys import to_url

LIST = "/servers/shop/keys/"
VALUE = {"HX-Request": "true", "HX-Target": "value"}
BROWSE = {"HX-Request": "true", "HX-Target": "browse"}

SAMPLES: dict[bytes, str] = {
    b"greeting": "string",
    b"sess:eu:1": "hash",
    b"queue:mail": "list",
    b"tags": "set",
    b"board:week": "zset",
    b"geo:shops": "zset",
    b"stream:orders": "stream",
    b"uniques": "hyperloglog",
}


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    tree.memory.clear()
    yield
    tree.memory.clear()


@pytest.fixture
def filled(data: redis.Redis) -> redis.Redis:
    """One key of each type."""
    data.set("greeting", "Hello <b>you</b>")
    cart = zlib.compress(json.dumps({"sku": "KB-87", "id": 9007199254740993}).encode())
    data.hset("sess:eu:1", mapping={"user": "48213", "cart": cart, "seen": "1795398431"})
    data.expire("sess:eu:1", 600)
    data.rpush("queue:mail", *[f"mail {n}" for n in range(250)])
    data.sadd("tags", "red", "green")
    data.zadd("board:week", {f"player {n}": n * 10 for n in range(300)})
    data.geoadd("geo:shops", [10.75, 59.91, "Oslo", 5.32, 60.39, "Bergen"])
    for n in range(3):
        data.xadd("stream:orders", {"order": str(n)}, id=f"{1700000000000 + n}-0")
    data.xgroup_create("stream:orders", "billing", "0")
    data.xreadgroup("billing", "worker-1", {"stream:orders": ">"}, count=2)
    data.pfadd("uniques", *range(1000))
    return data


def key_path(key: bytes, query: str = "") -> str:
    return f"{LIST}{to_url(key)}/{query}"


@pytest.fixture
def visitor(viewer: User, client_for: Callable[..., Client]) -> Client:
    """A viewer of ``server``."""
    return client_for(viewer)


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def cost_of(response: Any) -> Any:
    """What the page cost the server."""
    return response.wsgi_request.cost


@pytest.fixture
def carts(data: redis.Redis) -> redis.Redis:
    """Thirty carts of the EU and one key beside them."""
    for number in range(30):
        data.set(f"cart:eu:{number}", "x" * 50)
    data.set("cart:us:1", "y")
    return data


@pytest.fixture
def browser(operator: User, client_for: Callable[..., Client]) -> Client:
    return client_for(operator)
