"""What a survey found, folder by folder with everything below each: made once, then only read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from redisops.survey import estimates
from redisops.survey.estimates import Estimate, Sums
from redisops.survey.folders import ROOT
from redisops.survey.samples import Sample, joined
from redisops.survey.tally import Listed, Tally, deflated, inflated

VERSION = 1
BUCKETS = ("ttl", "sizes", "idle", "idle_bytes", "frequency")


class FolderFigures:
    """A folder with all that is below it.

    ``keys`` all of them, exact but for ``unseen``: so many more may be in the parent's other.
    ``own`` lie directly here, ``other`` in folders below that were not told apart. ``folded``
    folders were put together there. ``measured`` keys gave the estimates. ``types`` is type:
    (keys, bytes). The buckets (see ``samples``) and types are estimates for all ``keys``, None
    where the server refused to say. ``ttl[0]`` are keys without expiry.
    """

    __slots__ = ("_row", "name")

    def __init__(self, name: bytes, row: Sequence[Any]) -> None:
        self.name = name
        self._row = row

    keys = property(lambda self: self._row[0])
    own = property(lambda self: self._row[1])
    other = property(lambda self: self._row[2])
    folded = property(lambda self: self._row[3])
    unseen = property(lambda self: self._row[4])
    measured = property(lambda self: self._row[8])

    @property
    def bytes(self) -> Estimate:
        """Memory of all keys below, without the server's own overhead."""
        value, low, high, _, sized = self._row[5:10]
        return Estimate(value, low, float("inf") if high is None else high, sized, self.keys)

    @property
    def types(self) -> dict[str, tuple[int, int]]:
        """Type: (keys, bytes), most bytes first."""
        rows: dict[str, Sequence[int]] = self._row[10]
        return {name: (rows[name][0], rows[name][1]) for name in rows}

    @property
    def ttl(self) -> list[int] | None:
        """Keys without expiry, then by time left."""
        return self._bucket(0)

    @property
    def sizes(self) -> list[int] | None:
        """Keys by bytes."""
        return self._bucket(1)

    @property
    def idle(self) -> list[int] | None:
        """Keys by seconds at rest."""
        return self._bucket(2)

    @property
    def idle_bytes(self) -> list[int] | None:
        """Bytes by seconds at rest."""
        return self._bucket(3)

    @property
    def frequency(self) -> list[int] | None:
        """Keys by LFU's counter."""
        return self._bucket(4)

    def _bucket(self, place: int) -> list[int] | None:
        buckets: list[int] | None = self._row[11 + place]
        return buckets

    @property
    def without_expiry(self) -> Estimate | None:
        """The share of keys that never expire, 0 to 1; None when nobody could tell."""
        if self.ttl is None:
            return None
        return estimates.share(self.ttl[0], sum(self.ttl), self.measured, self.keys)


class Figures:
    """A whole survey's result. ``facts`` says of the survey itself what ``Survey.facts`` gave."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.delimiter: bytes = document["delimiter"].encode("latin-1")
        self.facts: dict[str, Any] = document["facts"]
        self.counted: int = document["counted"]
        self.repeated: int = document["repeated"]
        self.measured: int = document["measured"]
        self.step: int = document["step"]
        self._rows: dict[bytes, Sequence[Any]] = {
            text.encode("latin-1"): row for text, row in document["folders"].items()
        }

    @classmethod
    def of(cls, tally: Tally, facts: dict[str, Any] | None = None) -> Figures:
        """Add up a tally; ``facts`` is JSON to keep beside it."""
        return cls(
            {
                "version": VERSION,
                "delimiter": tally.folders.delimiter.decode("latin-1"),
                "counted": tally.counted,
                "repeated": tally.repeated,
                "measured": tally.measured,
                "step": tally.step,
                "biggest": tally.biggest,
                "hottest": tally.hottest,
                "folders": _added_up(tally),
                "facts": facts or {},
            }
        )

    def packed(self) -> bytes:
        """The document, compressed: about 40 bytes for a folder."""
        return deflated(self._document)

    @classmethod
    def unpacked(cls, blob: bytes) -> Figures:
        """The inverse of ``packed``."""
        return cls(inflated(blob))

    def __len__(self) -> int:
        return len(self._rows)

    def folder(self, name: bytes = ROOT) -> FolderFigures | None:
        """A folder by its whole name with its last delimiter; None when it was not told apart."""
        row = self._rows.get(name)
        return None if row is None else FolderFigures(name, row)

    def children(self, name: bytes = ROOT) -> list[FolderFigures]:
        """The folders directly in a folder, by name."""
        return [FolderFigures(child, self._rows[child]) for child in self._below.get(name, ())]

    @property
    def root(self) -> FolderFigures:
        """Everything."""
        return FolderFigures(ROOT, self._rows[ROOT])

    @property
    def biggest(self) -> list[Listed]:
        """The biggest keys among those measured, falling."""
        return [tuple(row) for row in self._document["biggest"]]

    @property
    def hottest(self) -> list[Listed]:
        """The most used keys among those measured, falling; empty without an LFU policy."""
        return [tuple(row) for row in self._document["hottest"]]

    @cached_property
    def _below(self) -> dict[bytes, list[bytes]]:
        below: dict[bytes, list[bytes]] = {}
        width = len(self.delimiter)
        for name in sorted(self._rows):
            if name and width == 1:
                below.setdefault(name[: name.rfind(self.delimiter, 0, -1) + 1], []).append(name)
            elif name:
                last = name[:-width].split(self.delimiter)[-1]
                below.setdefault(name[: -width - len(last)], []).append(name)
        return below


class _Sum:
    """A folder on the way up: bytes with their variance, and buckets scaled to all keys."""

    __slots__ = ("buckets", "measured", "other", "own", "sums", "types")

    def __init__(self) -> None:
        self.sums = Sums()
        self.own = 0
        self.other = 0
        self.measured = 0
        self.types: dict[str, list[float]] = {}
        self.buckets: list[list[float] | None] = [None] * len(BUCKETS)

    def add(self, keys: int, sample: Sample | None) -> None:
        self.sums.add(keys, sample)
        if sample is None or not sample.keys:
            return
        self.measured += sample.keys
        scale = max(keys, sample.keys) / sample.keys
        for name, (many, size) in sample.types.items():
            kind = self.types.setdefault(name, [0.0, 0.0])
            kind[0] += many * scale
            kind[1] += size * scale
        for place, name in enumerate(BUCKETS):
            buckets = getattr(sample, name)
            if buckets is not None:
                self._bucket(place, [many * scale for many in buckets])

    def join(self, below: _Sum) -> None:
        self.sums.join(below.sums)
        self.other += below.other
        self.measured += below.measured
        for name, (many, size) in below.types.items():
            kind = self.types.setdefault(name, [0.0, 0.0])
            kind[0] += many
            kind[1] += size
        for place, buckets in enumerate(below.buckets):
            if buckets is not None:
                self._bucket(place, buckets)

    def _bucket(self, place: int, more: list[float]) -> None:
        mine = self.buckets[place]
        self.buckets[place] = (
            list(more) if mine is None else [a + b for a, b in zip(mine, more, strict=True)]
        )

    def row(self, spread: float | None, folded: int, unseen: int, other: int) -> list[Any]:
        total = self.sums.total(spread)
        counted = sum(many for many, _ in self.types.values())
        scale = self.sums.keys / counted if counted else 1.0
        types = sorted(self.types.items(), key=lambda kind: (-kind[1][1], kind[0]))
        high = None if total.high == float("inf") else round(total.high)
        return [
            self.sums.keys, self.own, other, folded, unseen,
            round(total.value), round(total.low), high, self.measured, total.measured,
            {name: [round(many * scale), round(size * scale)] for name, (many, size) in types},
            *(
                buckets and [round(many * scale) for many in buckets]
                for buckets in self.buckets
            ),
        ]  # fmt: skip


def _added_up(tally: Tally) -> dict[str, list[Any]]:
    """A row for each folder: what is in it and below, children added before their parents."""
    folders = tally.folders
    sums = {name: _Sum() for name in folders.by_name}
    for name, folder in folders.by_name.items():
        mine = sums[name]
        mine.own = folder.keys
        mine.add(folder.keys, joined(folder.sample, folder.extra))
        mine.add(folder.other, folder.rest)
    order = sorted(sums, key=len, reverse=True)
    for name in order:
        if name:
            sums[folders.parent(name)].join(sums[name])
    spread = sums[ROOT].sums.spread
    rows = {}
    for name in reversed(order):
        folder = folders.by_name[name]
        rows[name.decode("latin-1")] = sums[name].row(
            spread, folder.folded, folder.unseen, folder.other
        )
    return rows
