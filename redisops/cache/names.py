"""Names of keys, and the marks by which an entry can be invalidated."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from hashlib import blake2b

from redisops.errors import InvalidArgument

Name = str | bytes

MOST_TAGS = 16
MOST_SHARDS = 1024
LEVELS = 8
LONGEST = 200
ALL = b"*"


def short(raw: bytes) -> bytes:
    """A name of at most 200 bytes: itself, or ``#`` and its digest."""
    return raw if len(raw) <= LONGEST else b"#" + blake2b(raw, digest_size=16).hexdigest().encode()


def bytes_of(name: Name) -> bytes:
    """A name as it is stored."""
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")


class Keys:
    """Which keys a namespace has. Those of one entry share a slot, and all of one shard do.

    ``cache:{<shard>}:<key>`` is the entry; beside it are ``redisops:cache:{<shard>}:seq`` (the
    number of the last invalidation, eight bytes), ``…:versions`` (sorted set: marks by theirs),
    ``…:lease:<key>`` and ``…:wake:<key>``. A shard is the namespace, or where there are several
    ``<namespace>#<n>``. ``place`` stands before all of them.
    """

    def __init__(self, namespace: str, shards: int, place: str = "") -> None:
        name, at = namespace.encode(), place.encode()
        names = [name] if shards == 1 else [b"%b#%d" % (name, n) for n in range(shards)]
        self.shards = shards
        self.entries = [b"%bcache:{%b}:" % (at, one) for one in names]
        self.versions = [b"%bredisops:cache:{%b}:versions" % (at, one) for one in names]
        self.numbers = [b"%bredisops:cache:{%b}:seq" % (at, one) for one in names]
        self.besides = [b"%bredisops:cache:{%b}:" % (at, one) for one in names]
        self._places = {prefix: at for at, prefix in enumerate(self.entries)}
        self.channel = b"%bredisops:cache:news:%b" % (at, name)

    def tracked(self) -> list[bytes]:
        """Prefixes of all keys whose change may end an entry."""
        return [*self.entries, *self.numbers]

    def shard(self, key: bytes) -> int:
        """The shard of a key."""
        return 0 if self.shards == 1 else zlib.crc32(key) % self.shards

    def sum_of(self, key: bytes) -> bytes:
        """A key that ``cache_add`` uses for a moment."""
        return self.besides[self.shard(key)] + b"sum"

    def place_of(self, name: bytes) -> int | None:
        """The shard of a key of Redis that is an entry, None for any other."""
        return self._places.get(name[: name.find(b"}:") + 2])

    def two(self, key: bytes) -> tuple[bytes, bytes]:
        """The entry and the number of the last invalidation."""
        at = self.shard(key)
        return self.entries[at] + short(key), self.numbers[at]

    def three(self, key: bytes) -> tuple[bytes, bytes, bytes]:
        """The entry, the versions, the number."""
        at = self.shard(key)
        return self.entries[at] + short(key), self.versions[at], self.numbers[at]

    def five(self, key: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """The entry, the versions, the lease, the list that wakes who waits, the number."""
        at, name = self.shard(key), short(key)
        beside = self.besides[at]
        return (
            self.entries[at] + name, self.versions[at], beside + b"lease:" + name,
            beside + b"wake:" + name, self.numbers[at],
        )  # fmt: skip


def tag_mark(tag: Name) -> bytes:
    """The mark of a tag."""
    raw = bytes_of(tag)
    if not raw:
        raise InvalidArgument("a tag has at least one byte")
    return b"t:" + short(raw)


def prefix_mark(prefix: Name) -> bytes:
    """The mark of a prefix, which ends with ``:`` and has at most 8 of them."""
    raw = bytes_of(prefix)
    if not raw.endswith(b":") or raw.count(b":") > LEVELS:
        raise InvalidArgument(f"prefix {prefix!r:.80} must end with ':' and have at most {LEVELS}")
    return b"p:" + short(raw)


def marks_of(key: bytes, tags: Iterable[Name]) -> list[bytes]:
    """All marks of an entry: its tags, and each prefix of its key that ends with ``:``."""
    marks = sorted({tag_mark(tag) for tag in tags})
    if len(marks) > MOST_TAGS:
        raise InvalidArgument(f"{len(marks)} tags are more than {MOST_TAGS}")
    at = -1
    for _ in range(LEVELS):
        at = key.find(b":", at + 1)
        if at < 0:
            break
        marks.append(b"p:" + short(key[: at + 1]))
    return marks
