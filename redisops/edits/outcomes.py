"""What became of an edit: one frozen class for each way it can end, with both versions to show.

A :class:`Version` is one thing as it was or is: a string, the value of a hash's field, a list's
element, a score as Redis spells it, the fields of a stream entry. It holds at most ``SHOWN`` bytes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redisops.errors import InvalidArgument

if TYPE_CHECKING:
    from redisops.edits.edit import Edit

SHOWN = 64 * 1024  # bytes of a version that an outcome carries
_SHA1 = re.compile(r"[0-9a-f]{40}")
HASHED = 1024 * 1024  # bytes at most that a digest is taken of
KEPT = 1024 * 1024  # bytes of an overwritten member up to which the inverse edit holds it


def sha1(data: bytes) -> str:
    """The hex SHA1 of ``data`` up to ``HASHED`` bytes, as ``redis.sha1hex`` gives it."""
    return hashlib.sha1(data[:HASHED], usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Version:
    """One thing as it was or is.

    data: its first 64 KiB; None: it is not there.   length: all its bytes.
    digest: SHA1 in hex of its first MiB, "" when absent.
    type: the key's type when that is not the expected one, else "".
    fields: of a stream entry, (name, value) pairs, while they fit into 64 KiB.
    """

    data: bytes | None = None
    length: int = 0
    digest: str = ""
    type: str = ""
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def of(cls, data: bytes | None) -> Version:
        """The version whose whole data are at hand."""
        if data is None:
            return cls()
        return cls(data[:SHOWN], len(data), sha1(data))

    @property
    def exists(self) -> bool:
        return self.data is not None

    @property
    def is_cut(self) -> bool:
        """Whether there is more of it than ``data``."""
        return self.data is not None and len(self.data) < self.length


@dataclass(frozen=True, slots=True)
class Seen:
    """What the person saw before the edit: the guard that the server compares.

    It compares the ``length`` of the whole, and the SHA1 of the ``size`` bytes from ``offset``
    (at most 1 MiB is compared). ``data`` is what was seen, for showing it beside what is there
    now; it may be left out, as it need not travel through a form, and never counts in ``==``.
    """

    length: int
    size: int
    digest: str
    offset: int = 0
    data: bytes | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        numbers = (self.length, self.size, self.offset)
        if any(type(number) is not int or number < 0 for number in numbers):
            raise InvalidArgument(f"{numbers!r} are no length, size and offset of a guard")
        if self.size > HASHED or not _SHA1.fullmatch(str(self.digest)):
            raise InvalidArgument("a guard compares at most 1 MiB, by a SHA1 in hex")
        if self.data is not None and (type(self.data) is not bytes or len(self.data) > SHOWN):
            raise InvalidArgument("a guard carries at most 64 KiB of what was seen")

    @classmethod
    def of(cls, data: bytes, length: int | None = None, offset: int = 0) -> Seen:
        """From the bytes seen, or a window of them at ``offset`` of a whole of ``length``.

        >>> Seen.of(page.data, page.length, page.offset)
        """
        part = bytes(data[:HASHED])
        whole = len(data) if length is None else length
        return cls(whole, len(part), sha1(part), offset, part[:SHOWN])

    def arguments(self) -> tuple[int, int, int, str]:
        """As scripts take it: length, offset, size, digest."""
        return (self.length, self.offset, self.size, self.digest)

    @property
    def version(self) -> Version:
        """As a version to show; with no data when they were left out."""
        return Version(self.data or b"", self.length, self.digest)


@dataclass(frozen=True, slots=True)
class Saved:
    """It was written (or, in a dry run, it would be).

    ``inverse`` takes it back, guarded by what was just written; None: there is no way back by an
    edit, and ``note`` says why when nothing else keeps what was lost.
    """

    inverse: Edit | None
    before: Version
    after: Version
    note: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written: ``now`` is there instead of ``seen``.

    ``now.type`` is set when the key holds another type by now.
    """

    now: Version
    seen: Version


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing was written: ``what`` (key, field, element, member, entry or path) is gone."""

    what: str = "key"


@dataclass(frozen=True, slots=True)
class Exists:
    """Nothing was written: what should be made is there already, as ``now``.

    ``what`` is "key", "field", "member", "bit" or "path".
    """

    what: str = "key"
    now: Version = Version()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was written: ``reason`` is a sentence for people, ``detail`` the server's words.

    ``instead`` says what to do when there is another way.
    """

    reason: str
    detail: str = ""
    instead: str = ""


Outcome = Saved | Conflict | Missing | Exists | Refused


def version(reply: Any) -> Version:
    """A version from what scripts return of one: nil, or {start, length, digest}."""
    if reply is None:
        return Version()
    data, length, digest = reply
    return Version(data[:SHOWN], int(length), digest.decode())
