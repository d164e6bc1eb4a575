"""What a piece of work really cost a server, by the server's own books."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio.connection
import redis.connection

from redisops.fast.mux import Mux
from redisops.fast.wires import Wire


class Spent:
    """Calls of each command (as commandstats spells them), filled when the block ends."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    @property
    def commands(self) -> int:
        return self.calls.total()


def _calls(client: redis.Redis) -> Counter[str]:
    stats: dict[str, Any] = client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()})


@contextlib.contextmanager
def counted(client: redis.Redis) -> Iterator[Spent]:
    """Count the commands that the server runs inside the block, those inside scripts included.

    What a client sends once for each connection (CLIENT, HELLO, AUTH, SELECT) is left out.
    """
    spent = Spent()
    before = _calls(client)
    yield spent
    spent.calls = _calls(client) - before
    for name in list(spent.calls):
        if name.split("|")[0] in ("client", "hello", "auth", "select", "info"):
            del spent.calls[name]


def scripted(spent: Spent) -> int:
    """How many script calls a client sent."""
    return sum(count for name, count in spent.calls.items() if name.startswith("eval"))


def counted_trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with each write to a socket, whoever makes it: each is one round trip."""
    trips: list[int] = []

    def counting(send: Any) -> Any:
        def sent(self: Any, *args: Any, **kwargs: Any) -> Any:
            trips.append(1)
            return send(self, *args, **kwargs)

        return sent

    for kind, name in (
        (Wire, "ask"), (Wire, "ask_all"), (Mux, "send"), (Mux, "send_all"),
        (redis.connection.AbstractConnection, "send_packed_command"),
        (redis.asyncio.connection.AbstractConnection, "send_packed_command"),
    ):  # fmt: skip
        monkeypatch.setattr(kind, name, counting(getattr(kind, name)))
    return trips
