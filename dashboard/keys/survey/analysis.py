"""The analysis page's figures: one folder of a pass, with everything below it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.keys.browsing.state import Browse
from dashboard.keys.survey import passes, words
from dashboard.keys.survey.reading import Known
from dashboard.keys.survey.treemap import Place, places
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops import keys as names
from redisops.survey import (
    FREQUENCY_ENDS,
    IDLE_ENDS,
    SIZE_ENDS,
    TTL_ENDS,
    Estimate,
    Figures,
    FolderFigures,
)

ROWS = 12
TILES = 24
LISTED = 15
TTL_LABELS = ("No expiry", "Under a minute", "1 min to 1 h", "1 h to 1 d", "1 d to 7 d",
              "7 d to 30 d", "30 d and more")  # fmt: skip


def ranges(ends: Sequence[int]) -> list[str]:
    """The filter of each bucket: below the first end, from each to the next, from the last on."""
    middle = [f"{low}-{high}" for low, high in itertools.pairwise(ends)]
    return [f"<{ends[0]}", *middle, f">={ends[-1]}"]


COLD = 3  # the first bucket of rest that counts as cold: 7 d and more


@dataclass(frozen=True)
class Row:
    """One line of a list of folders, or a tile of the map. ``change`` is against earlier."""

    name: bytes
    label: str
    url: str
    keys: int
    bytes: Estimate
    share: float
    keys_url: str = ""
    part: Estimate | None = None
    change: int | None = None
    change_bytes: int | None = None
    place: Place | None = None

    @property
    def size(self) -> str:
        return words.size(self.bytes)

    @property
    def margin(self) -> str:
        return words.margin(self.bytes)

    @property
    def percent(self) -> str:
        return words.percent(self.share)

    @property
    def part_words(self) -> str:
        return words.percent(self.part.value) if self.part else numbers.UNKNOWN

    @property
    def part_range(self) -> str:
        """Where it lies; "" when that is no more than the figure itself says."""
        told = words.between(self.part) if self.part else ""
        return "" if told == self.part_words else told


@dataclass(frozen=True)
class Bar:
    """One bucket: ``share`` of all keys here for the figure, ``length`` of the longest bar."""

    label: str
    keys: int
    url: str
    share: float
    length: float
    bytes: int | None = None

    @property
    def percent(self) -> str:
        return words.percent(self.share)


@dataclass(frozen=True)
class Big:
    """One of the biggest or most used keys."""

    key: bytes
    type: str
    ttl: int
    figure: int
    url: str | None
    is_cut: bool


class Analysis:
    """One folder (b"": everything) of a pass, against an earlier pass if there is one."""

    def __init__(
        self, server: Server, known: Known, here: FolderFigures, earlier: Figures | None = None
    ) -> None:
        self.server = server
        self.known = known
        self.figures = known.figures
        self.here = here
        self.earlier = earlier
        self.facts = known.figures.facts

    # --- What it says first -----------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        return not self.here.keys

    @property
    def verdict(self) -> str:
        """The one thing to know: what takes the memory, and what of it never goes away."""
        here = self.here
        if not here.keys:
            return "There are no keys here."
        keys = f"{numbers.exact(here.keys)} key{'' if here.keys == 1 else 's'}"
        if not here.bytes.measured:
            return f"{keys}. How much memory they hold is not known."
        said = f"{keys} hold{'s' if here.keys == 1 else ''} {words.size(here.bytes)}"
        top = self.rows[0] if self.rows else None
        if top is not None and len(self.rows) > 1 and top.share >= 0.25:
            said += f"; {names.printable(top.name)} has {top.percent} of it"
        never = here.without_expiry
        if never is not None and never.value >= 0.005:
            part = "all" if never.value > 0.9995 else words.percent(never.value)
            said += f". {part.capitalize()} of the keys never expire"
        elif never is not None:
            said += ". Nearly all keys expire" if never.value else ". All keys expire"
        return said + "."

    @property
    def how(self) -> str:
        """How these figures were made."""
        return words.how(self.here.measured, self.here.keys)

    @property
    def how_about(self) -> str:
        """The same for figures that stand without a range."""
        return words.how(self.here.measured, self.here.keys, ranged=False)

    @property
    def where(self) -> str:
        """Where it was counted."""
        return words.where(self.facts)

    @property
    def why_there(self) -> str:
        """What went against reading a replica."""
        return words.why_there(self.facts)

    @property
    def size(self) -> str:
        return words.size(self.here.bytes)

    @property
    def size_range(self) -> str:
        told = self.here.bytes
        if told.is_exact:
            return "every key measured"
        if not told.measured or told.high == float("inf"):
            return "not measured"
        return f"{numbers.size(told.low)} to {numbers.size(told.high)}"

    @property
    def never(self) -> str:
        told = self.here.without_expiry
        return words.percent(told.value) if told else numbers.UNKNOWN

    @property
    def never_range(self) -> str:
        told = self.here.without_expiry
        return words.between(told) if told else "not known"

    @property
    def cold(self) -> int | None:
        """Bytes that nobody used for a week; None when the server does not keep it."""
        rest = self.here.idle_bytes
        return sum(rest[COLD:]) if rest else None

    @cached_property
    def missing(self) -> list[str]:
        """Rights that lacked, as ACL rules spell them."""
        return [right for right in self.facts.get("missing", ()) if right not in ("~", "info")]

    @property
    def growth(self) -> str:
        """What changed here since the earlier pass."""
        before = self.earlier.folder(self.here.name) if self.earlier else None
        if before is None:
            return ""
        keys = self.here.keys - before.keys
        more = f"{numbers.exact(abs(keys))} key{'' if abs(keys) == 1 else 's'}"
        said = f"{more} {'more' if keys > 0 else 'fewer'}" if keys else "As many keys"
        now, then = self.here.bytes, before.bytes
        if not (now.measured and then.measured):
            return f"{said}."
        size = now.value - then.value
        if now.low <= then.high and then.low <= now.high and not (now.is_exact and then.is_exact):
            return f"{said}; memory about the same, within what the samples can tell."
        return f"{said}; {numbers.size(abs(size))} {'more' if size > 0 else 'less'} memory."

    @property
    def here_url(self) -> str:
        return self.keys_url(self.here.name)

    @property
    def big_how(self) -> str:
        """Which keys the lists of single keys are chosen from."""
        if self.figures.measured >= self.figures.counted:
            return "Of all keys."
        return (
            f"Of the {numbers.exact(self.figures.measured)} keys that were measured on the whole "
            f"server, 1 in {self.figures.step}. A bigger one may be among the others: measure "
            "every key to be sure."
        )

    # --- Folders ----------------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[Row]:
        """The folders here, most memory first (most keys where memory is not known)."""
        return sorted(
            (self._row(child) for child in self.figures.children(self.here.name)),
            key=lambda row: (-row.bytes.value, -row.keys, row.name),
        )

    @property
    def top(self) -> list[Row]:
        return self.rows[:ROWS]

    @property
    def more(self) -> int:
        """Folders that are not listed."""
        return max(0, len(self.rows) - ROWS)

    def _row(self, folder: FolderFigures) -> Row:
        before = self.earlier.folder(folder.name) if self.earlier else None
        gone = self.earlier is not None and before is None
        return Row(
            folder.name, names.printable(folder.name[len(self.here.name) :]),
            self.url(folder.name), folder.keys, folder.bytes,
            self._share(folder.bytes.value, folder.keys),
            self.keys_url(folder.name), folder.without_expiry,
            folder.keys - (0 if before is None else before.keys) if before or gone else None,
            round(folder.bytes.value - (before.bytes.value if before else 0.0))
            if (before or gone) and folder.bytes.measured else None,
        )  # fmt: skip

    def _share(self, size: float, keys: int) -> float:
        if self.here.bytes.value:
            return size / self.here.bytes.value
        return keys / self.here.keys if self.here.keys else 0.0

    @cached_property
    def tiles(self) -> list[Row]:
        """The map: the largest folders, and all else in one tile."""
        shown = [row for row in self.rows[:TILES] if row.share > 0.002]
        rest = max(0.0, 1.0 - sum(row.share for row in shown))
        tiles = [(row.share, row) for row in shown]
        if rest > 0.002:
            keys = self.here.keys - sum(row.keys for row in shown)
            size = Estimate(rest * self.here.bytes.value, 0, 0, 0, keys)
            label = "all else" if shown else "no folders"
            tiles.append((rest, Row(b"", label, "", max(keys, 0), size, rest)))
        tiles.sort(key=lambda tile: -tile[0])
        found = places([share for share, _ in tiles])
        return [
            Row(**{**row.__dict__, "place": place})
            for (_, row), place in zip(tiles, found, strict=True)
        ]

    @property
    def map_words(self) -> str:
        """The map for those who cannot see it."""
        told = ", ".join(f"{tile.label} {tile.percent}" for tile in self.tiles[:6])
        return f"Memory by folder: {told}"

    @cached_property
    def never_expiring(self) -> list[Row]:
        """The folders with the most keys without expiry."""
        found = [row for row in self.rows if row.part is not None and row.part.value > 0]
        found.sort(key=lambda row: -row.keys * (row.part.value if row.part else 0))
        return [
            Row(**{**row.__dict__, "keys_url": self.keys_url(row.name, ttl="none")})
            for row in found[:ROWS]
        ]

    @property
    def path(self) -> list[tuple[str, str]]:
        """The folders around, from everything down to this one."""
        parts = self.here.name.split(self.figures.delimiter)[:-1]
        whole = itertools.accumulate(part + self.figures.delimiter for part in parts)
        return [
            ("All keys", self.url(b"")),
            *((names.printable(name[len(name) - len(part) - len(self.figures.delimiter) :]),
               self.url(name)) for name, part in zip(whole, parts, strict=True)),
        ]  # fmt: skip

    # --- Buckets ----------------------------------------------------------------------------

    @property
    def expiry(self) -> list[Bar]:
        """Keys by time left."""
        urls = [self.keys_url(self.here.name, ttl=ttl) for ttl in ("none", *ranges(TTL_ENDS))]
        return self._bars(TTL_LABELS, self.here.ttl, urls)

    @property
    def sizes(self) -> list[Bar]:
        """Keys by bytes."""
        ends = [numbers.size(end - 1) for end in SIZE_ENDS]
        labels = [f"Up to {end}" for end in ends] + [f"Over {ends[-1]}"]
        urls = [
            self.keys_url(self.here.name, size=size, sort="-memory") for size in ranges(SIZE_ENDS)
        ]
        return self._bars(labels, self.here.sizes, urls)

    @property
    def rest(self) -> list[Bar]:
        """Keys by time since their last use."""
        ends = [numbers.duration(end) for end in IDLE_ENDS]
        labels = [f"Under {ends[0]}", *(f"{a} to {b}" for a, b in itertools.pairwise(ends)),
                  f"{ends[-1]} and more"]  # fmt: skip
        urls = [
            self.keys_url(self.here.name, idle=idle, sort="-idle") for idle in ranges(IDLE_ENDS)
        ]
        return self._bars(labels, self.here.idle, urls, self.here.idle_bytes)

    @property
    def use(self) -> list[Bar]:
        """Keys by LFU's counter, which grows with the logarithm of the uses; lists know no uses."""
        ends = FREQUENCY_ENDS
        labels = ["Never used", *(f"{a} to {b - 1}" for a, b in itertools.pairwise(ends)),
                  f"{ends[-1]} to 255"]  # fmt: skip
        return self._bars(labels, self.here.frequency, [""] * len(labels))

    @property
    def types(self) -> list[Bar]:
        """Keys and bytes of each type."""
        rows = self.here.types
        names_, counts = list(rows), [keys for keys, _ in rows.values()]
        urls = [self.keys_url(self.here.name, type=name) for name in names_]
        return self._bars(names_, counts, urls, [size for _, size in rows.values()])

    def _bars(
        self, labels: Sequence[str], counts: Sequence[int] | None, urls: Sequence[str],
        sizes: Sequence[int] | None = None,
    ) -> list[Bar]:  # fmt: skip
        if not counts:
            return []
        whole, most = sum(counts) or 1, max(counts) or 1
        told: Sequence[int | None] = sizes or [None] * len(labels)
        return [
            Bar(label, count, url, count / whole, count / most, size)
            for label, count, url, size in zip(labels, counts, urls, told, strict=True)
        ]

    # --- Single keys ------------------------------------------------------------------------

    @property
    def biggest(self) -> list[Big]:
        """The biggest keys here that were measured, at most 15 of the 100 kept."""
        return self._big(self.figures.biggest)

    @property
    def hottest(self) -> list[Big]:
        """The most used keys here that were measured."""
        return self._big(self.figures.hottest)

    def _big(self, listed: Sequence[tuple[int, str, str, int, int]]) -> list[Big]:
        found = []
        for figure, text, kind, ttl, length in listed:
            key = text.encode("latin-1")
            if key.startswith(self.here.name):
                whole = len(key) == length
                url = self._key_url(key) if whole else None
                found.append(Big(key, kind, ttl, figure, url, not whole))
        return found[:LISTED]

    # --- Addresses --------------------------------------------------------------------------

    def url(self, folder: bytes) -> str:
        """This page for a folder."""
        path = reverse("keys:analysis", args=[self.server.slug])
        told = {"prefix": names.printable(folder)} if folder else {}
        if self.figures.delimiter != passes.DELIMITER:
            told["delimiter"] = names.printable(self.figures.delimiter)
        return f"{path}?{urlencode(told)}" if told else path

    def keys_url(self, folder: bytes, **filters: str) -> str:
        """The list of a folder's keys, with filters."""
        browse = Browse(self.server.slug, delimiter=self.figures.delimiter)
        return browse.url(prefix=folder, **filters)

    def _key_url(self, key: bytes) -> str:
        return reverse("keys:show", args=[self.server.slug, key])
