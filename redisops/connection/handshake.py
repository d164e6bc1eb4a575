"""The first words on a connection: one write, one wait.

HELLO with credentials and name, the library's own name, the database and CLIENT NO-TOUCH go
out together; the replies are judged after they are all on their way. redis-py's own
handshake waits for each (five round trips on its defaults).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import redis

try:
    VERSION = metadata.version("redisops")
except metadata.PackageNotFoundError:  # run from a checkout
    VERSION = "0"


@dataclass(frozen=True)
class Greeting:
    """What a connection says first. ``touch=False`` asks Redis not to count our reads as use.

    ``replica``: a replica in a cluster, which answers for its primary's keys only when asked to.
    """

    name: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    touch: bool = True
    replica: bool = False

    def commands(self) -> list[tuple[Any, ...]]:
        """HELLO first; its reply decides. What follows it may be refused by older servers."""
        hello: list[Any] = ["HELLO", 2]
        if self.username or self.password:
            hello += ["AUTH", self.username or "default", self.password or ""]
        if self.name:
            hello += ["SETNAME", self.name]
        return [tuple(hello), *self._rest()]

    def commands_without_hello(self) -> list[tuple[Any, ...]]:
        """The same for proxies and servers that know no HELLO."""
        start: list[tuple[Any, ...]] = []
        if self.username:
            start.append(("AUTH", self.username, self.password or ""))
        elif self.password:
            start.append(("AUTH", self.password))
        if self.name:
            start.append(("CLIENT", "SETNAME", self.name))
        return [*start, *self._rest()]

    def _rest(self) -> list[tuple[Any, ...]]:
        rest: list[tuple[Any, ...]] = []
        if self.db:
            rest.append(("SELECT", self.db))
        if self.replica:
            rest.append(("READONLY",))
        rest.append(("CLIENT", "SETINFO", "LIB-NAME", "redisops"))
        rest.append(("CLIENT", "SETINFO", "LIB-VER", VERSION))
        if not self.touch:
            rest.append(("CLIENT", "NO-TOUCH", "ON"))
        return rest


def knows_no_hello(reply: Any) -> bool:
    """Whether HELLO itself was not understood, so that the old words must be tried."""
    return (
        isinstance(reply, redis.ResponseError)
        and not isinstance(reply, redis.exceptions.NoPermissionError)
        and "unknown command" in str(reply).lower()
    )


def judge(commands: list[tuple[Any, ...]], replies: list[Any]) -> dict[str, Any]:
    """What HELLO told of the server, as text keys; raises the reply that makes the link useless.

    CLIENT SETINFO (7.2) and NO-TOUCH (7.2) are wishes: a server or ACL that refuses them is
    served all the same.
    """
    told: dict[str, Any] = {}
    for command, reply in zip(commands, replies, strict=True):
        if isinstance(reply, Exception):
            if command[0] == "CLIENT":
                continue
            raise reply
        if command[0] == "HELLO" and isinstance(reply, list):
            pairs = zip(reply[::2], reply[1::2], strict=False)
            told = {key.decode(): value for key, value in pairs}
    return told
