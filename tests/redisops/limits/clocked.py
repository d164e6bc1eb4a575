"""The scripts at a time of the test's own: they take it as a last argument that only tests send."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import redis

from redisops import scripts
from redisops.limits import Limit, Verdict
from redisops.limits.naming import Keys
from redisops.limits.verdicts import of_one, of_several

START = 1_800_000_000_000_000  # us since 1970
SECOND = 1_000_000


@dataclass
class Clocked:
    """One subject under one limit; ``now`` is the server's clock in microseconds.

    ``alone`` runs the limit's own script, otherwise the one for several limits.
    """

    client: redis.Redis
    limit: Limit
    alone: bool = True
    subject: bytes = b"u"
    now: int = START
    _keys: Keys = field(default_factory=lambda: Keys("clocked:"))

    def command(self, cost: int, *, take: bool) -> tuple[Any, ...]:
        wire, key = self.limit.wire, self._keys.of(self.limit, self.subject)
        if self.alone:
            text = scripts.source(wire.script)
            return ("EVAL", text, 1, key, cost if take else -cost, wire.packed, self.now)
        text = scripts.source("limit_all")
        return ("EVAL", text, 1, key, cost if take else -cost, wire.among, self.now)

    def read(self, reply: Any, cost: int, *, take: bool) -> Verdict:
        if self.alone:
            return of_one(self.limit, self.subject, reply, cost if take else 0)
        return of_several([(self.limit, self.subject)], reply, cost, take=take)

    def hit(self, cost: int = 1) -> Verdict:
        reply = self.client.execute_command(*self.command(cost, take=True))
        return self.read(reply, cost, take=True)

    def peek(self, cost: int = 1) -> Verdict:
        reply = self.client.execute_command(*self.command(cost, take=False))
        return self.read(reply, cost, take=False)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def change(self, **changes: Any) -> None:
        self.limit = replace(self.limit, **changes)
