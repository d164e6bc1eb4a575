"""Where the keys of a primary are read: on a replica that is well, else on the primary itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from redisops.errors import RedisopsError
from redisops.resilience.causes import words_of
from redisops.steps import Steps

TROUBLE = (redis.RedisError, RedisopsError, OSError)
PATIENCE = 3  # errors in a row after which a replica that says it is well is left
LOOK_EVERY = 10.0  # seconds after which a replica is asked again whether it is well


@dataclass(frozen=True)
class Reader:
    """One server that answers for a primary's keys. ``name`` is "" for the primary itself.

    ``identity`` tells its process from the next (``run_id``); "" when INFO is refused.
    """

    name: str
    redis: Any
    node: Any
    identity: str


class Readers:
    """Chooses readers, and remembers what became of them.

    ``read`` has [primary, replica or ""] for each part, ``lost`` the replicas that were left on
    the way, with the reason, and ``why`` says why a primary is read though it has replicas.
    """

    def __init__(self, redis: Any, told: dict[str, Any] | None = None) -> None:
        self.redis = redis
        told = told or {}
        self.read: list[list[str]] = told.get("read", [])
        self.lost: list[list[str]] = told.get("lost", [])
        self.why: dict[str, str] = told.get("why", {})
        self.stumbles = 0
        self._looked = 0.0

    @property
    def told(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {"read": self.read, "lost": self.lost, "why": self.why}

    def choose(self, primary: str) -> Steps[Reader | None]:
        """A replica that is well and was not left before; None: read the primary."""
        found = yield from self._replicas(primary)
        self.read = [place for place in self.read if place[0] != primary]
        self.why.pop(primary, None)
        left = {name for name, _ in self.lost}
        for one in found:
            if not one.why_not and one.name not in left:
                self.read.append([primary, one.name])
                return Reader(one.name, one.client, None, one.run_id)
        self.read.append([primary, ""])
        reasons = [one.why_not for one in found if one.why_not and one.name not in left]
        if reasons:
            self.why[primary] = reasons[0][:300]
        return None

    def again(self, primary: str, name: str, identity: str) -> Steps[Reader | str]:
        """The same process of a replica when it is well; why not, when it is not."""
        found = yield from self._replicas(primary)
        for one in found:
            if one.name == name:
                if one.why_not:
                    return str(one.why_not)
                if one.run_id != identity:
                    return f"{name} was restarted"
                return Reader(name, one.client, None, identity)
        return f"{name} is no replica any more"

    def is_due(self) -> bool:
        """Whether it is time to look after the replica again."""
        return time.monotonic() - self._looked >= LOOK_EVERY

    def after(self, error: BaseException, primary: str, reader: Reader) -> Steps[str]:
        """After an error: "" to ask the replica again, else why it is to be left."""
        self.stumbles += 1
        still = yield from self.again(primary, reader.name, reader.identity)
        if isinstance(still, str):
            return still
        return "" if self.stumbles <= PATIENCE else f"{reader.name}: {words_of(error)}"

    def leave(self, name: str, why: str) -> None:
        """Read no more from this replica."""
        self.lost.append([name, why[:300]])
        self.stumbles = 0

    def _replicas(self, primary: str) -> Steps[Sequence[Any]]:
        ask = getattr(self.redis, "replicas", None)  # redis-py's own clients know none
        self._looked = time.monotonic()
        if ask is None:
            return ()
        found: Sequence[Any] = yield ask(primary)
        return found
