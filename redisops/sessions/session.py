"""One session in memory: a mapping that knows what changed since it was loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from redisops.errors import InvalidArgument
from redisops.sessions.errors import FieldNotLoaded
from redisops.sessions.packing import pack, unpack
from redisops.sessions.seal import Place

ABOUT, SEEN, WHOLE = b"@about", b"@seen", b"@whole"
_COMPARED = frozenset([str, bytes, int, bool, type(None)])  # equal is the same, and never changes


def handle_of(id: str) -> str:
    """The public name of a session: 40 characters that do not lead back to the id.

    Keys, lists and logs carry the handle. Only the bearer has the id, so that somebody who
    can read Redis cannot present it.
    """
    return base64.urlsafe_b64encode(hashlib.sha256(id.encode()).digest()[:30]).decode()


class Session(MutableMapping[str, Any]):
    """The data of one session, by top-level key.

    Values are whatever ``packing.pack`` can hold; a value changed in place (a list appended
    to) counts as changed. ``about`` is for what a list of sessions shows: ``address``,
    ``agent`` and the like, all sealed. Made by ``Sessions.new`` and ``Sessions.load``.

    ``loaded`` names the keys that it was loaded with, None for all of them: asking for another
    one raises FieldNotLoaded, setting another one is fine, and ``len`` and iteration know only
    these.
    """

    # What a session begins with is the class's: a loaded one replaces most of it at once.
    seen: float = 0.0
    is_new = True
    loaded: frozenset[str] | None = None
    place: Place | None = None  # what opened it; spares the next save the derived key
    bundled: frozenset[str] | None = None  # keys that are in @whole, None when unknown
    _whole = b""  # @whole as it was loaded
    _fresh: dict[str, Any] | None = None  # the same once more, for nobody to change
    _stored_about: bytes | None = None
    _meta: tuple[Any, ...] = ()  # the metadata as loaded, when it is of plain values

    def __init__(
        self, id: str, *, principal: str, created: float, ends: float, about: dict[str, Any],
        handle: str = "",
    ) -> None:  # fmt: skip
        self.id = id
        self.handle = handle or handle_of(id)
        self.principal = principal
        self.created = created
        self.ends = ends
        self.about = about
        self._stored: dict[str, bytes] = {}
        self._values: dict[str, Any] = {}
        self._deleted: set[str] = set()
        self._small: dict[str, Any] = {}  # what @whole says of keys without a field of their own
        self.old: dict[bytes, tuple[bytes, bytes]] = {}

    def __getitem__(self, key: str) -> Any:
        values = self._values
        if key in values:
            return values[key]
        if key in self._deleted:
            raise KeyError(key)
        if key in self._small:
            value = values[key] = self._small[key]
            return value
        self._know(key)
        value = values[key] = unpack(self._stored[key])
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise InvalidArgument(f"a session's top-level key is a str, not {key!r}")
        self._values[key] = value
        self._deleted.discard(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._values.pop(key, None)
        if key in self._stored or key in self._small:
            self._deleted.add(key)

    def __iter__(self) -> Iterator[str]:
        keys = self._small | self._stored | self._values
        return iter([key for key in keys if key not in self._deleted])

    def __len__(self) -> int:
        keys = self._small.keys() | self._stored.keys() | self._values.keys()
        return len(keys) - len(self._deleted)

    def __contains__(self, key: object) -> bool:
        if key in self._values or key in self._small:
            return key not in self._deleted
        self._know(key)
        return key in self._stored and key not in self._deleted

    def _know(self, key: object) -> None:
        if self.loaded is None or key in self.loaded or key in self._values:
            return
        raise FieldNotLoaded(f"{key!r} was not loaded: load the session whole, or name it too")

    def __repr__(self) -> str:
        return f"<Session {self.handle} of {self.principal or 'nobody'}>"

    def changes(self) -> tuple[dict[str, bytes], set[str]]:
        """(packed values that differ from what is stored, keys to delete)."""
        changed = {}
        for key, value in self._values.items():
            if key in self._small:
                was = self._small[key]
                if value.__class__ in _COMPARED and was.__class__ is value.__class__:
                    if value != was:
                        changed[key] = pack(value)
                    continue
                packed = pack(value)
                if packed != pack(self._was(key)):  # what was loaded may have changed in place
                    changed[key] = packed
                continue
            packed = pack(value)
            if self._stored.get(key) != packed:
                changed[key] = packed
        return changed, self._deleted.copy()

    def _was(self, key: str) -> Any:
        if self._fresh is None:
            self._fresh = unpack(self._whole)[2]
        return self._fresh[key]

    @property
    def has_whole(self) -> bool:
        """Whether what was loaded has the field ``@whole``; older ones have none."""
        return bool(self._whole)

    def opened(
        self, stored: dict[str, bytes], small: dict[str, Any], whole: bytes, about: bytes | None,
        seen: float, bundled: frozenset[str], old: dict[bytes, tuple[bytes, bytes]],
    ) -> None:  # fmt: skip
        """Take this as what Redis holds; all of it is the session's own from here on.

        ``stored``: packed values by key; ``small``: values of ``whole``, which is packed, and
        ``bundled`` all keys of it; ``about``: the packed metadata where it has a field of its own;
        ``old``: (beginning, what is in it) of each sealed field that an old key sealed.
        """
        self.is_new = False
        self._stored, self._small, self._whole, self._stored_about = stored, small, whole, about
        self.seen, self.bundled, self.old = seen, bundled, old
        self._meta = self.principal, self.created, self.ends, [*self.about.items()]

    def saved(
        self, written: dict[str, bytes], deleted: set[str], seen: float, about: bytes | None,
        bundled: frozenset[str] | None = None,
    ) -> None:  # fmt: skip
        """Take what was written as what Redis holds now; what changed since is still a change.

        ``about``: the packed metadata, None when it was not written; ``bundled``: the keys that
        are in ``@whole``, when all was written.
        """
        for key in deleted:
            self._stored.pop(key, None)
            self._small.pop(key, None)
        for key in written:
            self._small.pop(key, None)
        self._deleted -= deleted
        self._stored |= written
        if about is not None:
            self._stored_about, self._meta = about, ()
        if bundled is not None:
            self.bundled = bundled
        self.old = {}
        self.seen = seen
        self.is_new = False

    def saved_values(self, written: dict[str, bytes]) -> None:
        """As ``saved`` when values were written to a loaded session, and nothing else."""
        small = self._small
        for key, data in written.items():
            small.pop(key, None)
            self._stored[key] = data

    def everything(self) -> dict[str, bytes]:
        """Every value packed, for writing the session whole."""
        kept = {key: data for key, data in self._stored.items() if key not in self._deleted}
        small = {
            key: pack(value) for key, value in self._small.items()
            if key not in self._values and key not in self._deleted
        }  # fmt: skip
        return small | kept | {key: pack(value) for key, value in self._values.items()}

    def packed_about(self) -> bytes:
        return pack([self.principal, self.created, self.ends, self.about])

    def restored(self, stored: dict[str, bytes], seen: float) -> Session:
        """Take ``stored``, packed values, as what Redis holds; it is the session's own now."""
        self._deleted, self._small, self.bundled = set(), {}, None
        self._values = {key: value for key, value in self._values.items() if key in stored}
        self.saved(stored, set(), seen, self.packed_about())
        self._stored = stored
        return self

    @property
    def about_is_due(self) -> bool:
        """Whether the metadata changed, or an old key sealed it."""
        return self.about_to_write() is not None or ABOUT in self.old or WHOLE in self.old

    def about_to_write(self) -> bytes | None:
        """The packed metadata when it changed, else None."""
        told = self.principal, self.created, self.ends, [*self.about.items()]
        if told == self._meta:
            for one in self.about.values():
                if one.__class__ is not str:
                    break
            else:
                return None
        packed = self.packed_about()
        if self._stored_about is None:
            is_same = self._whole.startswith(packed[1:], 2)  # the first thing in it
        else:
            is_same = self._stored_about == packed
        return None if is_same else packed


@dataclass(frozen=True)
class SessionInfo:
    """A row of a principal's list of sessions. Times are seconds since 1970.

    ``readable`` is False when its metadata does not open; it can still be revoked.
    """

    handle: str
    principal: str
    created: float
    seen: float
    ends: float
    about: dict[str, Any]
    readable: bool = True
