"""A document of policies in Redis: one key of a server, by version; written, announced, read.

What a document holds is its pattern's own (``limits.document``, ``cache.publishing``). All begin
``{"format":F,"version":V``, so that one script writes them and their first bytes tell a reader
whether anything changed.
"""

from __future__ import annotations

import re
from typing import Any, Generic, Protocol, Self, TypeVar

from redisops import scripts
from redisops.errors import RedisopsError
from redisops.steps import Steps, step

HEAD = 128  # bytes at the beginning that hold format, version and digest
LAST_VERSION = 2**53 - 1
# As the script reads it.
_VERSION = re.compile(rb'\{"format":[0-9]+,"version":([0-9]{1,16})[,}]')


class DocumentError(RedisopsError, ValueError):
    """What was read is no document that this version can use; the message says why."""


class Written(Protocol):
    """What every document can do."""

    @property
    def version(self) -> int: ...

    def dumps(self) -> bytes: ...

    @classmethod
    def loads(cls, data: bytes) -> Self: ...


D = TypeVar("D", bound=Written)


class Documents(Generic[D]):
    """Publishes one kind of document to, and reads it from, the server of one client.

    A pattern says the four; one round trip each.
    """

    key: bytes
    channel: bytes  # where each new version is announced
    most_bytes: int
    kind: type[D]

    def __init__(self, client: Any) -> None:
        self.client = client

    @step
    def publish(self, document: D) -> Steps[str]:
        """Write the document and announce it, in one script: ``"published"``.

        ``"older"`` when Redis holds a newer version; then nothing is done. The version that is
        already there is written again, which mends what was damaged. Raises InvalidArgument for a
        document with problems, UnknownResult when the reply was lost: publish again, it may be
        done any number of times.
        """
        data = document.dumps()
        reply = yield self.client.eval(
            scripts.source("document_publish"), 1, self.key, document.version, data, self.channel
        )
        return bytes_of(reply[0]).decode()

    @step
    def published(self) -> Steps[D | None]:
        """The document in Redis, None when there is none; DocumentError when it is not usable."""
        data = yield self.client.getrange(self.key, 0, self.most_bytes)
        return self.kind.loads(bytes_of(data)) if data else None

    @step
    def version(self) -> Steps[int]:
        """The version in Redis, also of a document that cannot be used; 0 when there is none."""
        head = yield self.client.getrange(self.key, 0, HEAD - 1)
        found = _VERSION.match(bytes_of(head))
        return int(found[1]) if found else 0


def bytes_of(value: bytes | str) -> bytes:
    """A reply as bytes, also where the client decodes."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
