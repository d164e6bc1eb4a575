"""The facts of the keys that a survey measures: four plain commands each, in one round trip.

No script and nothing dangerous: the rights ``+@read`` are enough, and each one that lacks is named
and not asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from redisops.steps import Steps
from redisops.survey.samples import Facts
from redisops.values import calls

SAMPLES = 5  # MEMORY USAGE samples; never 0, which would walk the whole collection
RIGHTS = {"TYPE": "type", "PTTL": "pttl", "MEMORY": "memory|usage"}
USES = {"IDLETIME": "object|idletime", "FREQ": "object|freq"}


class Asking:
    """Asks one server, and learns what it refuses.

    ``missing`` are rights that lack, as ACL rules spell them, and "~" when keys are out of this
    user's reach. ``use`` is FREQ under an LFU policy, else IDLETIME: the server's own refusal of
    the other one says which, so that no right to read its configuration is needed.
    """

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.use = "IDLETIME"
        self.out_of_reach = 0

    @property
    def commands(self) -> int:
        """How many commands one key takes."""
        return len(self._asked(b""))

    def _asked(self, key: bytes) -> list[tuple[Any, ...]]:
        asked: list[tuple[Any, ...]] = []
        if "type" not in self.missing:
            asked.append(("TYPE", key))
        if "pttl" not in self.missing:
            asked.append(("PTTL", key))
        if "memory|usage" not in self.missing:
            asked.append(("MEMORY", "USAGE", key, "SAMPLES", SAMPLES))
        if USES[self.use] not in self.missing:
            asked.append(("OBJECT", self.use, key))
        return asked

    def of(
        self, redis: Any, node: Any, keys: Sequence[bytes], owner: tuple[Any, Any] | None = None
    ) -> Steps[list[Facts]]:
        """The facts of ``keys``, without those that are gone or out of reach. One round trip, and
        one more when the server turns out to count use the other way.

        ``redis`` may be a replica: then ``owner`` (client, node) is its primary, and in a second
        trip that is asked how much they are used. A replica knows only of its own readers.
        """
        use = self.use
        asked = [(key, command) for key in keys for command in self._asked(key)]
        if not asked:
            return []
        here = [pair for pair in asked if owner is None or pair[1][0] != "OBJECT"]
        replies = yield from calls.send(redis, [(node, command) for _, command in here])
        if owner is not None:
            there = [pair for pair in asked if pair[1][0] == "OBJECT"]
            replies += yield from calls.send(owner[0], [(owner[1], one) for _, one in there])
            asked = here + there
        found: dict[bytes, dict[str, Any]] = {key: {} for key in keys}
        for (key, command), reply in zip(asked, replies, strict=True):
            found[key][command[0]] = self._told(command, reply)
        if self.use != use:
            again = [("OBJECT", self.use, key) for key in keys]
            client, where = owner or (redis, node)
            replies = yield from calls.send(client, [(where, command) for command in again])
            for key, command, reply in zip(keys, again, replies, strict=True):
                found[key]["OBJECT"] = self._told(command, reply)
        return [facts for key, told in found.items() if (facts := self._facts(key, told))]

    def _told(self, command: Sequence[Any], reply: Any) -> Any:
        if not isinstance(reply, Exception):
            return reply
        if calls.is_out_of_reach(reply):
            return reply
        if calls.is_refused(reply):
            self.missing.add(RIGHTS.get(command[0]) or USES[command[1]])
            return None
        if isinstance(reply, ResponseError):
            words = str(reply)
            if command[0] == "OBJECT" and "LFU" in words:
                self.use = "FREQ" if command[1] == "IDLETIME" else "IDLETIME"
                return None
            if "no such key" in words:
                return None
        raise reply

    def _facts(self, key: bytes, told: dict[str, Any]) -> Facts | None:
        if any(isinstance(reply, Exception) for reply in told.values()):
            self.out_of_reach += 1
            self.missing.add("~")
            return None
        kind = told.get("TYPE")
        kind = kind.decode() if isinstance(kind, bytes) else kind
        ttl = told.get("PTTL")
        size = told.get("MEMORY")
        # A key that went away meanwhile: no type, a TTL of -2, or no memory.
        if kind == "none" or ttl == -2 or ("MEMORY" in told and size is None and not self._lacks):
            return None
        use = told.get("OBJECT")
        idle, often = (use, None) if self.use == "IDLETIME" else (None, use)
        return Facts(key, kind or "unknown", ttl, size, idle, often)

    @property
    def _lacks(self) -> bool:
        return "memory|usage" in self.missing
