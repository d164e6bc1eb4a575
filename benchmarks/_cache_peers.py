"""Other libraries' caches as ``get(subject)`` of one value, where ``make bench`` installed them.

Each reads a value of 1 KB that it has stored itself, with MessagePack where it can, and pickle or
JSON, its own default, where it cannot (aiocache's MessagePack does not work on Redis).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable
from typing import Any

Hit = Callable[[str], object]
AsyncHit = Callable[[], Awaitable[object]]
PACKAGES = ("django_redis", "dogpile.cache", "cashews", "aiocache")


def missing() -> list[str]:
    """Those that are not installed."""
    lacking = []
    for package in PACKAGES:
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            lacking.append(package)
    for package in lacking:
        print(f"  {package} is not installed: `make bench` installs benchmarks/requirements.txt")
    return lacking


def django(port: int) -> Any:
    """Django's ``caches``: ours, Django's own backend and django-redis on one server."""
    from django.conf import settings

    location = f"redis://127.0.0.1:{port}/0"
    backends: dict[str, dict[str, Any]] = {
        "ours": {"BACKEND": "redisops.contrib.django.cache.RedisCache"},
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"},
        "django-redis": {
            "BACKEND": "django_redis.cache.RedisCache",
            "OPTIONS": {"SERIALIZER": "django_redis.serializers.msgpack.MSGPackSerializer"},
        },
    }
    if "django_redis" in missing():
        del backends["django-redis"]
    for name, backend in backends.items():
        backend |= {"LOCATION": location, "KEY_PREFIX": name}
    settings.configure(CACHES=backends)
    from django.core.cache import caches

    return {name: caches[name] for name in backends}


def blocking(port: int, value: Any, lacking: list[str]) -> dict[str, Hit]:
    """Those that block, but for Django's."""
    found: dict[str, Hit] = {}
    if "dogpile.cache" not in lacking:
        import msgpack  # type: ignore[import-untyped]
        from dogpile.cache import make_region  # type: ignore[import-not-found]

        region = make_region(serializer=msgpack.packb, deserializer=msgpack.unpackb).configure(
            "dogpile.cache.redis", expiration_time=600, arguments={"port": port}
        )
        region.set("dogpile", value)
        found["dogpile.cache msgpack"] = lambda _: region.get("dogpile")
    return found


async def awaiting(port: int, value: Any, lacking: list[str]) -> dict[str, AsyncHit]:
    """Those for asyncio, but for Django's."""
    found: dict[str, AsyncHit] = {}
    if "aiocache" not in lacking:
        import aiocache  # type: ignore[import-not-found]
        from aiocache.serializers import PickleSerializer  # type: ignore[import-not-found]

        one = aiocache.RedisCache(endpoint="127.0.0.1", port=port, serializer=PickleSerializer())
        await one.set("aiocache", value, ttl=600)
        found["aiocache pickle"] = lambda: one.get("aiocache")
    if "cashews" not in lacking:
        from cashews import Cache  # type: ignore[import-not-found]

        other = Cache()
        other.setup(f"redis://127.0.0.1:{port}/0")
        await other.set("cashews", value, expire=600)
        found["cashews pickle"] = lambda: other.get("cashews")
    return found
