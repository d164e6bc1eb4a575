"""How fast a session is beside a plain hash and beside what Django keeps in a cache.

A session of nine values, loaded, and loaded with one value changed and saved, in the same run on
the same server: the library (sealed, both expiries kept), a plain MessagePack hash by bare
redis-py (what the ratio is against), and Django's sessions on RedisCache, on django-redis and as
cached_db on RedisCache. Peers come from benchmarks/requirements.txt; one that is not installed is
left out and said.

As in ``limits_speed``: client and server share one core, contenders take turns in short slices, a
slice's time is what both processes had of the core, and a ratio is the median over the rounds.
Each contender has ``SESSIONS`` of them and takes the next one with each call.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgpack  # type: ignore[import-untyped]
import redis

from benchmarks.limits_speed import Core, pin
from redisops.connection import connect
from redisops.sessions import Seal, Sessions
from tests.servers import RedisProcess

DATA = {
    "_auth_user_id": "41", "_auth_user_hash": "f" * 64, "locale": "nb-NO", "cart": ["KB-87"] * 12,
    "n": 0, "seen": ["orders", "streams", "keys"], "theme": "dark", "flags": {"beta": True},
    "note": "x" * 200,
}  # fmt: skip
ROUNDS, CALLS, EACH, SESSIONS = 25, 60, 4, 200
BARS = {"load": 1.05, "load and save": 1.3, "memory": 1.4}
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def library(url: str) -> Pair:
    sessions = Sessions(connect(url), Seal([os.urandom(32)]))
    ids = []
    for _ in range(SESSIONS):
        session = sessions.new("mara", address="10.0.0.7", agent="Firefox 131")
        session.update(DATA)
        sessions.save(session)
        ids.append(session.id)
    turn = itertools.cycle(ids)

    def load() -> Any:
        found = sessions.load(next(turn))
        assert found is not None
        return [found[key] for key in found]

    def change() -> None:
        found = sessions.load(next(turn))
        assert found is not None
        found["n"] += 1
        sessions.save(found)

    return load, change


def hashed() -> dict[str, bytes]:
    """The same session in a plain hash: its values, whose it is, since when, last seen."""
    now = time.time()
    about = ["mara", now, now + 43_200, {"address": "10.0.0.7", "agent": "Firefox 131"}]
    told = DATA | {"@about": about, "@seen": int(now * 1000)}
    return {key: msgpack.packb(value) for key, value in told.items()}


def plain(port: int) -> Pair:
    client = redis.Redis(port=port, protocol=2)
    names = [f"plain:{at}" for at in range(SESSIONS)]
    for name in names:
        client.hset(name, mapping=hashed())
    turn = itertools.cycle(names)

    def load_of(name: str) -> Any:
        pipe = client.pipeline(transaction=False)
        pipe.hgetall(name)
        pipe.pexpire(name, 1_800_000)
        found, _ = pipe.execute()
        return {key: msgpack.unpackb(value) for key, value in found.items()}

    def change() -> None:
        name = next(turn)
        found = load_of(name)
        pipe = client.pipeline(transaction=False)
        pipe.hset(name, "n", msgpack.packb(found[b"n"] + 1))
        pipe.pexpire(name, 1_800_000)
        pipe.execute()

    return lambda: load_of(next(turn)), change


def django_peers(url: str) -> dict[str, Pair]:
    """Django's cache sessions, as a request has them: a store by its key, loaded, saved."""
    import django
    from django.conf import settings

    caches = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache",
                          "LOCATION": url}}  # fmt: skip
    try:
        import django_redis  # noqa: F401
    except ImportError:
        print("django-redis is not installed: left out")
    else:
        caches["django-redis"] = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}
    settings.configure(
        SECRET_KEY=os.urandom(16).hex(), CACHES=caches, SESSION_CACHE_ALIAS="default", USE_TZ=True,
        INSTALLED_APPS=["django.contrib.sessions"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3",
                               "NAME": f"{tempfile.mkdtemp()}/bench.sqlite3"}},
    )  # fmt: skip
    django.setup()
    from django.core.cache import caches as handlers
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from django.contrib.sessions.backends import cache, cached_db

    def pair(kind: Any, alias: str) -> Pair:
        def opened(key: str | None = None) -> Any:
            store = kind(key)
            store._cache = handlers[alias]
            return store

        keys = []
        for _ in range(SESSIONS):
            store = opened()
            store.update(DATA)
            store.save()
            keys.append(store.session_key)
        turn = itertools.cycle(keys)

        def load() -> Any:
            return dict(opened(next(turn)).items())

        def change() -> None:
            found = opened(next(turn))
            found["n"] += 1
            found.save()

        return load, change

    peers = {"Django on RedisCache": pair(cache.SessionStore, "default")}
    if "django-redis" in caches:
        peers["Django on django-redis"] = pair(cache.SessionStore, "django-redis")
    peers["Django cached_db"] = pair(cached_db.SessionStore, "default")
    return peers


def measured(pairs: dict[str, Pair], base: str, core: Core) -> dict[str, tuple[float, float]]:
    """How many times as fast as ``base`` each is, (load, load and save), and prints the times."""
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in pairs}
    for round_ in range(ROUNDS + 1):
        for name, pair in list(pairs.items())[:: 1 if round_ % 2 else -1]:
            for call, times in zip(pair, took[name], strict=True):
                began = core.spent()
                for _ in range(CALLS):
                    call()
                if round_:  # the first one warms up
                    times.append((core.spent() - began) / CALLS)
    told = {}
    for name, both in took.items():
        ratios = [
            statistics.median(bare / own for bare, own in zip(base_times, times, strict=True))
            for base_times, times in zip(took[base], both, strict=True)
        ]
        load, change = (statistics.median(times) * 1e6 for times in both)
        print(f"{name:<26} {load:7.0f} us {ratios[0]:6.2f} x   {change:7.0f} us {ratios[1]:6.2f} x")
        told[name] = ratios[0], ratios[1]
    return told


def memory(server: RedisProcess) -> float:
    """Bytes of a session, with its share of its person's list, over the same in plain.

    By MEMORY USAGE of every part: what a process uses altogether moves by itself.
    """
    client = connect(server.url)
    sessions = Sessions(client, Seal([os.urandom(32)]))
    for _ in range(EACH):
        session = sessions.new("jane", address="10.0.0.7", agent="Firefox 131")
        session.update(DATA)
        sessions.save(session)
    sealed = client.memory_usage(f"session:{{{session.handle}}}", samples=0)
    sealed += client.memory_usage("sessions:{jane}", samples=0) / EACH
    name = f"session:{session.handle}"
    client.hset(name, mapping=hashed())
    client.pexpire(name, 1_800_000)
    client.zadd("plain:jane", {f"{at:040}": time.time() * 1000 for at in range(EACH)})
    bare = client.memory_usage(name, samples=0)
    bare += client.memory_usage("plain:jane", samples=0) / EACH
    print(f"\nmemory: {sealed:.0f} bytes a session, {bare:.0f} a plain hash")
    client.close()
    return float(sealed / bare)


def main() -> int:
    with RedisProcess() as server:
        base = "plain hash, redis-py"
        pairs = {"library": library(server.url), base: plain(server.port)}
        pairs |= django_peers(server.url)
        print(f"{'':<26} {'load':>10} {'':>8}   {'load and save':>10}")
        found = measured(pairs, base, pin(server))
        ours = found["library"]
        figures = {"load": ours[0], "load and save": ours[1], "memory": memory(server)}
    ahead = all(ours[at] > found[name][at] for name in found if name.startswith("Django")
                for at in (0, 1))  # fmt: skip
    results = [
        {"name": f"session_speed: {name}", "value": round(value, 2), "bar": BARS[name],
         "ok": value <= BARS[name] if name == "memory" else value >= BARS[name]}
        for name, value in figures.items()
    ]  # fmt: skip
    results.append({"name": "session_speed: ahead of every peer", "value": ahead, "bar": True,
                    "ok": ahead})  # fmt: skip
    print(json.dumps(results))
    return 0 if all(result["ok"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
