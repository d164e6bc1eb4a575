"""Writing the wanted document to Redis, once; what came of it is kept and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from dashboard.audit import recording
from dashboard.audit.writing import Who
from dashboard.publishing import wanting
from dashboard.publishing.kinds import Kind
from dashboard.publishing.schedule import EVERY
from dashboard.servers.load import WorkStopped
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable
from redisops.documents import DocumentError
from redisops.errors import InvalidArgument, RedisopsError
from redisops.resilience import diagnose

TRIES = 3
"""How often a newer version in Redis is outdone in one go: another console may be writing, too."""
TROUBLE = (redis.RedisError, redis.RedisClusterException, RedisopsError, SecretUnreadable)


class Outdone(RedisopsError):
    """Redis had a newer version each time; somebody else publishes there."""


@dataclass(frozen=True)
class Published:
    """What came of it: the version, and a sentence that ends a message."""

    version: int
    done: str
    trouble: str = ""

    @property
    def is_well(self) -> bool:
        return not self.trouble

    @property
    def sentence(self) -> str:
        if self.is_well:
            return self.done.format(version=self.version)
        return f"It is not published yet: {self.trouble} It is tried again every {EVERY} s."


def publish(kind: Kind, who: Who, server: Server, why: str = "", *, above: int = 0) -> Published:
    """Write the wanted document and announce it; trouble of Redis is said, never raised.

    Two round trips at most, audited. When Redis has a newer version, such as one put back from a
    backup or of another console, ours becomes the next after it; ``above`` is one that is known to
    be there.
    """
    row = wanting.of(kind, server)
    try:
        if above:
            row = wanting.want(kind, server, above)
        with recording(
            who, f"{kind.area}.publish", server=server.slug, target=f"version {row.version}",
            reason=why,
        ) as entry:  # fmt: skip
            row = _write(kind, server, row)
            entry.after = {"version": row.version}
    except TROUBLE as error:
        trouble = words(error)
        row.note_trouble(trouble, is_write=True)
        return Published(row.version, kind.done, trouble)
    row.note_well()
    return Published(row.version, kind.done)


def _write(kind: Kind, server: Server, row: Any) -> Any:
    there = kind.there(server)
    for _ in range(TRIES):
        document = wanting.wanted(kind, row)
        if document is None:  # written down by another version of the console
            row = wanting.want(kind, server)
            document = kind.library.kind.loads(row.text.encode())
        if there.publish(document) == "published":
            return row
        row = wanting.want(kind, server, there.version())
    raise Outdone("another console publishes newer versions on this server all the time")


def words(error: Exception) -> str:
    """What went wrong as one sentence."""
    if isinstance(error, WorkStopped | Outdone | DocumentError | InvalidArgument):
        return f"{str(error).rstrip('.')}."
    trouble = diagnose(error)
    if trouble.sent is False or not trouble.detail or isinstance(error, redis.ConnectionError):
        return trouble.sentence
    return f"{trouble.sentence} Redis said: {trouble.detail[:200].rstrip('.')}."
