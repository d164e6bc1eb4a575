"""What a sign-in session costs: 1 round trip to load, 1 to save, 0 when nothing changed.

Round trips are counted outside the library, by a small TCP relay between it and the server: each
burst of bytes that the client sends is one. The counts are exact and are the claim; the times
beside them are of this machine, interleaved with the same work on a plain unencrypted hash.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgpack  # type: ignore[import-untyped]
import redis

from redisops.connection import connect
from redisops.sessions import Seal, Sessions
from tests.servers import RedisProcess, free_port

DATA = {
    "_auth_user_id": "41", "_auth_user_hash": "f" * 64, "locale": "nb-NO", "cart": ["KB-87"] * 12,
    "n": 0, "seen": ["orders", "streams", "keys"], "theme": "dark", "flags": {"beta": True},
    "note": "x" * 200,
}  # fmt: skip
ROUNDS, CALLS = 7, 150


class Relay:
    """Forwards one port to another and counts what clients send, burst by burst."""

    def __init__(self, target: int) -> None:
        self.bursts = 0
        self.port = free_port()
        self._target = target
        listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(client, server, 1), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, 0), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: int) -> None:
        while data := source.recv(1 << 20):
            self.bursts += counted
            sink.sendall(data)
        sink.close()

    def count(self, call: Callable[[], object]) -> int:
        before = self.bursts
        call()
        return self.bursts - before


def library_counts(relay: Relay) -> dict[str, int]:
    sessions = Sessions(connect(f"redis://127.0.0.1:{relay.port}/0"), Seal([os.urandom(32)]))
    warm = sessions.new("warm")
    sessions.save(warm)
    sessions.load(warm.id)

    session = sessions.new("mara", address="10.0.0.7", agent="Firefox 131")
    session.update(DATA)
    counts = {"create": relay.count(lambda: sessions.save(session))}
    counts["load"] = relay.count(lambda: sessions.load(session.id))
    loaded = sessions.load(session.id)
    assert loaded is not None
    counts["save, nothing changed"] = relay.count(lambda: sessions.save(loaded))
    loaded["n"], loaded["new"] = 1, 2
    del loaded["note"]
    counts["save, 1 changed, 1 added, 1 deleted"] = relay.count(lambda: sessions.save(loaded))
    counts["rotate the id"] = relay.count(lambda: sessions.rotate(loaded))
    return counts


def engine_counts(relay: Relay) -> dict[str, int]:
    """The same through the console's session engine, which keeps a copy in SQL."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "REDIS_URL": f"redis://127.0.0.1:{relay.port}/0",
        "DATABASE_URL": "sqlite://:memory:",
        "REDISOPS_DATA": tempfile.mkdtemp(prefix="redisops-bench-"),
        "SECRET_KEY": "a key for a benchmark that is long enough to be taken for one",
    }
    import django

    django.setup()
    from django.core.management import call_command

    from dashboard.accounts.models import User
    from dashboard.accounts.sessions import SessionStore

    call_command("migrate", verbosity=0)
    # bulk_create sends no signal: the hint to other processes about a new person would cross the
    # relay while it counts.
    (user,) = User.objects.bulk_create([User(username="mara")])
    store = SessionStore()
    store["_auth_user_id"] = str(user.pk)
    store.save()
    store = SessionStore(store.session_key)
    counts = {"engine: load": relay.count(lambda: store.get("theme"))}
    counts["engine: save, nothing changed"] = relay.count(store.save)
    store["theme"] = "dark"
    counts["engine: save, 1 changed"] = relay.count(store.save)
    counts["engine: a visitor without a cookie"] = relay.count(lambda: SessionStore().get("x"))
    return counts


def ratios(server: RedisProcess) -> dict[str, float]:
    """Median time of the sealed session divided by that of a plain msgpack hash."""
    client = connect(server.url)
    plain = redis.Redis(port=server.port, protocol=2)
    sessions = Sessions(client, Seal([os.urandom(32)]))
    session = sessions.new("mara")
    session.update(DATA)
    sessions.save(session)
    plain.hset("plain", mapping={key: msgpack.packb(value) for key, value in DATA.items()})

    def sealed_load() -> object:
        return sessions.load(session.id)

    def plain_load() -> object:
        pipe = plain.pipeline(transaction=False)
        pipe.hgetall("plain")
        pipe.pexpire("plain", 1_800_000)
        found, _ = pipe.execute()
        return {key: msgpack.unpackb(value) for key, value in found.items()}

    def sealed_save() -> object:
        loaded = sessions.load(session.id)
        assert loaded is not None
        loaded["n"] += 1
        return sessions.save(loaded)

    def plain_save() -> object:
        plain_load()
        pipe = plain.pipeline(transaction=False)
        pipe.hset("plain", "n", msgpack.packb(1))
        pipe.pexpire("plain", 1_800_000)
        return pipe.execute()

    took: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for call in (sealed_load, plain_load, sealed_save, plain_save):
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            took.setdefault(call.__name__, []).append((time.perf_counter() - began) / CALLS)
    median = {name: statistics.median(times) for name, times in took.items()}
    for name, seconds in median.items():
        print(f"  {name:<12} {seconds * 1e6:7.0f} us")
    return {
        "load": median["sealed_load"] / median["plain_load"],
        "load and save": median["sealed_save"] / median["plain_save"],
    }


def main() -> int:
    bars = {
        "create": 1, "load": 1, "save, nothing changed": 0,
        "save, 1 changed, 1 added, 1 deleted": 1, "rotate the id": 1, "engine: load": 1,
        "engine: save, nothing changed": 0, "engine: save, 1 changed": 1,
        "engine: a visitor without a cookie": 0,
    }  # fmt: skip
    with RedisProcess() as server:
        relay = Relay(server.port)
        counts = library_counts(relay) | engine_counts(relay)
        print(f"{'round trips to Redis':<38} counted  claimed")
        for name, bar in bars.items():
            print(f"{name:<38} {counts[name]:>7} {bar:>8}")
        print("\nbeside a plain hash of the same data (plain redis-py, no encryption):")
        for name, ratio in ratios(server).items():
            print(f"  {name}: {ratio:.2f} x the time")
    results = [
        {"name": f"session_cost: {name}", "value": counts[name], "bar": bar,
         "ok": counts[name] == bar}
        for name, bar in bars.items()
    ]  # fmt: skip
    print(json.dumps(results))
    return 0 if all(result["ok"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
