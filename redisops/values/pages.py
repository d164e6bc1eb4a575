"""What :class:`redisops.values.Values` returns: one frozen page class for each kind of value.

Every page carries the key's facts (``type``, ``ttl``, ``memory``, ``length``, ``encoding``)
beside its rows, and ``next`` and ``previous``: opaque positions for ``Values.read(at=...)``,
None at the ends. A byte string that came from the server is a :class:`Piece`, which may be
cut: ``data`` is the start, ``length`` the full number of bytes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """The first bytes of an element, and how long the whole of it is."""

    data: bytes
    length: int

    @property
    def is_cut(self) -> bool:
        """Whether the server holds more bytes than ``data`` does."""
        return len(self.data) < self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every page says of its key.

    ``ttl`` is seconds (None: no expiry), ``memory`` bytes (sampled; None when refused),
    ``length`` the type's own: bytes of a string, elements of a list, fields of a hash,
    members of a set, entries of a stream. ``missing`` names the rights that the server
    refused, as ACL rules spell them (``memory|usage``). ``notes`` are sentences for people
    about what could not be shown or was shortened.
    """

    key: bytes
    type: str
    ttl: float | None = None
    memory: int | None = None
    length: int | None = None
    encoding: str | None = None
    idle: int | None = None
    next: str | None = None
    previous: str | None = None
    missing: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bits:
    """A window of a string read as bits; bit 0 is the highest of byte 0, as GETBIT counts.

    ``ranges`` are the runs of set bits inside the window as (first, last), both included, at
    most 1,000 (``more`` when there are others). ``count`` is BITCOUNT of the whole string,
    None above 1 MiB. ``size`` is the number of bits in the window, ``first`` its first bit.
    """

    first: int
    size: int
    ranges: tuple[tuple[int, int], ...]
    more: bool
    count_here: int
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StringPage(Page):
    """``data`` is the window of bytes that starts at ``offset``; ``length`` is the whole string's.

    ``bits`` is there when ``read(bits=True)`` asked for it.
    """

    data: bytes
    offset: int
    bits: Bits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperLogLogPage(Page):
    """A string that holds a HyperLogLog: ``estimate`` is PFCOUNT's (standard error 0.81 %).

    ``registers`` is "dense" or "sparse"; ``data`` and ``offset`` are a window of its bytes.
    """

    estimate: int
    registers: str
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class ListRow:
    """One element; ``index`` counts from 0 at the head whichever way the page goes."""

    index: int
    value: Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(Page):
    """Elements from the "head" (first to last) or from the "tail" (last to first): ``order``."""

    rows: tuple[ListRow, ...]
    order: str


@dataclass(frozen=True, slots=True)
class HashRow:
    """One field. ``ttl`` is its own expiry in seconds: None when it has none or nobody can tell."""

    field: Piece
    value: Piece
    ttl: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HashPage(Page):
    """Fields in HSCAN's order (no order that means anything).

    ``field_ttls`` says whether this server has expiry per field (HTTL); ``scanned`` is how
    many fields this page looked at, more than its rows when ``match`` was given.
    """

    rows: tuple[HashRow, ...]
    field_ttls: bool
    scanned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPage(Page):
    """Members in SSCAN's order; ``scanned`` is how many this page looked at."""

    rows: tuple[Piece, ...]
    scanned: int


@dataclass(frozen=True, slots=True)
class SortedSetRow:
    """One member. ``rank`` counts from 0 at the lowest score (None in a radius search).

    ``longitude`` and ``latitude`` are there in the geo view, ``distance`` (metres) in a
    radius search.
    """

    rank: int | None
    member: Piece
    score: float
    longitude: float | None = None
    latitude: float | None = None
    distance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedSetPage(Page):
    """Members by rank, lowest score first (``order`` "asc") or highest first ("desc").

    ``in_range`` is how many members lie between the scores asked for (the whole set when
    none were). ``found`` is the rank of the member that was looked for, None when it is not
    there; ``sought`` is that member. ``complete`` is False when a radius search stopped at
    ``count`` members: then there are others, perhaps nearer.
    """

    rows: tuple[SortedSetRow, ...]
    order: str
    in_range: int
    sought: bytes | None = None
    found: int | None = None
    complete: bool = True

    @property
    def may_be_geo(self) -> bool:
        """Whether every score on this page could be a geohash of GEOADD (a guess, for a hint).

        Below 2**42 lie milliseconds since 1970, and as a geohash only a corner of the Antarctic
        sea, west of 168.75 W and south of 79.7 S. Microseconds cannot be told from places.
        """
        scores = [row.score for row in self.rows]
        return bool(scores) and all(2**42 <= s < 2**52 and s == int(s) for s in scores)


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry: ``id`` as Redis spells it, ``time`` its milliseconds since 1970.

    ``size`` is how many fields it has, more than ``fields`` holds when those are very large.
    """

    id: str
    time: int
    fields: tuple[tuple[Piece, Piece], ...]
    size: int


@dataclass(frozen=True, slots=True)
class StreamGroup:
    """One consumer group. ``lag`` and ``entries_read`` are None where the server cannot tell."""

    name: bytes
    consumers: int
    pending: int
    last_id: str
    entries_read: int | None = None
    lag: int | None = None


@dataclass(frozen=True, slots=True)
class StreamConsumer:
    """One consumer of a group; ``idle`` and ``inactive`` are milliseconds (inactive: 7.2+)."""

    name: bytes
    pending: int
    idle: int
    inactive: int | None = None


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """One entry that was delivered and not acknowledged; ``idle`` is milliseconds."""

    id: str
    consumer: bytes
    idle: int
    delivered: int


@dataclass(frozen=True, slots=True)
class PendingSummary:
    """A group's pending entries: how many, the smallest and greatest id, and a page of them.

    ``next`` is the position for the following page of ``rows``, None at the end.
    """

    count: int
    smallest: str | None
    greatest: str | None
    rows: tuple[PendingEntry, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPage(Page):
    """Entries newest first (``order`` "desc") or oldest first ("asc"), with the stream's facts.

    ``groups`` holds the first 1,000 groups, ``group_count`` says how many there are.
    ``entries_added`` and ``max_deleted_id`` are None before Redis 7.
    """

    rows: tuple[StreamEntry, ...]
    order: str
    first_id: str | None
    last_id: str | None
    last_generated_id: str
    entries_added: int | None
    max_deleted_id: str | None
    groups: tuple[StreamGroup, ...] = ()
    group_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPage(Page):
    """A RedisJSON document. ``kind`` is JSON.TYPE's word; ``text`` the JSON, cut when long.

    Above 1 MiB of memory the document is not serialised at all: ``text`` is None and
    ``names`` has the first names of an object's members.
    """

    kind: str
    text: Piece | None
    size: int | None = None
    names: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulePage(Page):
    """A value of a module's own type: only its facts, and the size and start of its DUMP.

    ``dump`` is None when the value is too big to be serialised for a look (1 MiB of memory).
    """

    dump: Piece | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPage(Page):
    """The key changed its type while it was read: ``was``, now ``type`` ("none": it is gone)."""

    was: str


ValuePage = (
    StringPage
    | HyperLogLogPage
    | ListPage
    | HashPage
    | SetPage
    | SortedSetPage
    | StreamPage
    | JsonPage
    | ModulePage
    | ChangedPage
)

__all__ = [
    "Bits",
    "ChangedPage",
    "HashPage",
    "HashRow",
    "HyperLogLogPage",
    "JsonPage",
    "ListPage",
    "ListRow",
    "ModulePage",
    "Page",
    "PendingEntry",
    "PendingSummary",
    "Piece",
    "SetPage",
    "SortedSetPage",
    "SortedSetRow",
    "StreamConsumer",
    "StreamEntry",
    "StreamGroup",
    "StreamPage",
    "StringPage",
    "ValuePage",
]
