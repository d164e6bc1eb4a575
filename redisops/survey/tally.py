"""What a walk has seen so far: every key counted, some of them chosen to be measured.

Of the stream of keys each ``step``-th one is measured, whatever it is called; so are the first few
of each folder, as long as there is room for more, because a small folder would else have none.
SCAN hands out keys in the order of their hashes, which have nothing to do with their values, so
both are random samples of what they are drawn from.
"""

from __future__ import annotations

import heapq
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from redisops.survey.folders import ROOT, Folders
from redisops.survey.samples import Facts, Sample

FIRST = 12  # keys of each folder that are measured in any case, while there is room
LISTED = 100  # biggest and hottest keys that are kept
LONGEST_NAME = 4096  # bytes of their names
NAMED = 10  # a frequency at which a key is worth naming

Listed = tuple[int, str, str, int, int]


class Tally:
    """Counts of one part of a keyspace, and what was measured there.

    ``step``: one key in so many is measured. ``room``: further keys that may be, for the folders'
    first ones. ``counted`` keys, and ``repeated`` names that SCAN gave a second time and that were
    left out. ``measured`` keys that were there when they were asked.
    """

    def __init__(
        self, delimiter: bytes = b":", limit: int = 20_000, step: int = 1, room: int = 0
    ) -> None:
        self.folders = Folders(delimiter, limit)
        self.step = step
        self.room = room
        self.counted = 0
        self.repeated = 0
        self.measured = 0
        self._biggest: list[Listed] = []
        self._hottest: list[Listed] = []
        self._extra: set[bytes] = set()
        self._before: list[frozenset[bytes]] = [frozenset(), frozenset()]

    def count(self, reply: Sequence[bytes]) -> list[bytes]:
        """Count the keys of one SCAN reply; returns those of them to measure.

        A table that shrinks during a walk makes SCAN hand out again what it gave just before, so
        the names of this reply and of the two before it are compared.
        """
        keys = self._new(reply)
        names = self.folders.names_of(keys)
        wanted = {}
        first = min(FIRST, self.room // (self.folders.made + 1)) if self.step > 1 else 0
        for name, many in Counter(names).items():
            folder = self.folders.count(name, many)
            if folder is not None and folder.keys - many < first:
                wanted[name] = first - (folder.keys - many)
        begin = -self.counted % self.step
        self.counted += len(keys)
        chosen = list(keys[begin :: self.step])
        if wanted:
            chosen += self._further(keys, names, wanted, begin)
        self.folders.fold()
        return chosen

    def _new(self, reply: Sequence[bytes]) -> list[bytes]:
        one, two = self._before
        now = frozenset(reply)
        keys = list(dict.fromkeys(reply)) if len(now) < len(reply) else list(reply)
        if not (one.isdisjoint(now) and two.isdisjoint(now)):
            keys = [key for key in keys if key not in one and key not in two]
        self.repeated += len(reply) - len(keys)
        self._before = [two, now]
        return keys

    def _further(
        self, keys: Sequence[bytes], names: Sequence[bytes], wanted: dict[bytes, int], begin: int
    ) -> list[bytes]:
        """The first keys of new folders, those left out that are measured anyway."""
        self._extra = set()
        for place, name in enumerate(names):
            if wanted.get(name, 0) > 0 and (place - begin) % self.step:
                wanted[name] -= 1
                self._extra.add(keys[place])
        self.room -= len(self._extra)
        return list(self._extra)

    def note(self, found: Iterable[Facts]) -> None:
        """Add what was measured."""
        for facts in found:
            self.measured += 1
            self._sample_for(facts.key).add(facts)
            listed: Listed = (
                facts.size or 0, facts.key[:LONGEST_NAME].decode("latin-1"), facts.type,
                -2 if facts.ttl is None else facts.ttl, len(facts.key),
            )  # fmt: skip
            if facts.size is not None:
                _keep(self._biggest, listed)
            if facts.frequency is not None and facts.frequency >= NAMED:
                _keep(self._hottest, (facts.frequency, *listed[1:]))

    def _sample_for(self, key: bytes) -> Sample:
        name = self.folders.name_of(key)
        folder = self.folders.by_name.get(name)
        if folder is None:
            around = self.folders.by_name[self.folders.nearest(name)]
            if key in self._extra:  # its folder is gone: chosen for it, it stands for no others
                return Sample()
            around.rest = around.rest or Sample()
            return around.rest
        if key in self._extra:
            folder.extra = folder.extra or Sample()
            return folder.extra
        folder.sample = folder.sample or Sample()
        return folder.sample

    def join(self, other: Tally) -> None:
        """Add the tally of another part of the keyspace."""
        self.counted += other.counted
        self.repeated += other.repeated
        self.measured += other.measured
        self.folders.join(other.folders)
        for listed in other._biggest:
            _keep(self._biggest, listed)
        for listed in other._hottest:
            _keep(self._hottest, listed)

    @property
    def biggest(self) -> list[Listed]:
        """(bytes, name as latin-1, type, ttl in ms, bytes of the whole name), falling.

        A ttl of -1 is none, -2 is not known.
        """
        return sorted(self._biggest, reverse=True)

    @property
    def hottest(self) -> list[Listed]:
        """(frequency, name as latin-1, type, ttl in ms, bytes of the whole name), falling."""
        return sorted(self._hottest, reverse=True)

    def packed(self) -> list[Any]:
        """Everything as JSON takes it."""
        before = [[key.decode("latin-1") for key in names] for names in self._before]
        return [
            self.step, self.room, self.counted, self.repeated, self.measured, self._biggest,
            self._hottest, before, self.folders.packed(),
        ]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: Sequence[Any]) -> Tally:
        """The inverse of ``packed``."""
        step, room, counted, repeated, measured, biggest, hottest, before, folders = packed
        tally = cls(step=step, room=room)
        tally.counted, tally.repeated, tally.measured = counted, repeated, measured
        tally._biggest = [tuple(row) for row in biggest]
        tally._hottest = [tuple(row) for row in hottest]
        tally._before = [frozenset(name.encode("latin-1") for name in names) for names in before]
        tally.folders = Folders.unpacked(folders)
        return tally


def _keep(heap: list[Listed], listed: Listed) -> None:
    if len(heap) < LISTED:
        heapq.heappush(heap, listed)
    elif listed > heap[0]:
        heapq.heapreplace(heap, listed)


def deflated(document: Any) -> bytes:
    """A JSON document, compressed."""
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)


def inflated(blob: bytes) -> Any:
    """The inverse of ``deflated``."""
    return json.loads(zlib.decompress(blob))


__all__ = ["ROOT", "Listed", "Tally", "deflated", "inflated"]
