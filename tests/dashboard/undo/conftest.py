"""A key of every kind that this machine's server has, and a person's request."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import RequestFactory

from dashboard.undo.models import Removal


@pytest.fixture(autouse=True)
def _real_transactions(transactional_db: None) -> None:
    """What is kept must be committed: tests see real commits."""


@pytest.fixture
def asked(operator: Any) -> Any:
    """A request of the operator, outside any view."""
    request = RequestFactory().post("/")
    request.user = operator
    return request


@pytest.fixture
def every_type(data: redis.Redis) -> list[bytes]:
    """One key of each type, some with binary names and expiries; their names, sorted."""
    data.set(b"s:\xff\x00", b"\x00\xff" * 40, px=123_456_789)
    data.hset(b"h", mapping={b"\xfe": b"\x00", b"big": b"9" * 30})
    data.rpush(b"l", *[b"%d" % n for n in range(300)])
    data.sadd(b"set", *[b"m%d" % n for n in range(600)])
    data.zadd(b"z", {b"a": 0.1, b"b": float("inf"), b"c": -1.5e300})
    data.pfadd(b"hll", *range(100))
    data.geoadd(b"geo", (13.361389, 38.115556, b"Palermo"))
    for n in range(5):
        data.xadd(b"x", {b"n": n}, id=f"{n + 1}-0")
    data.xgroup_create(b"x", b"g", id="0")
    data.xreadgroup(b"g", b"c1", {b"x": ">"}, count=3)
    data.expire(b"x", 86_400)
    return sorted(data.keys("*"))


def only_removal() -> Removal:
    return Removal.objects.get()
