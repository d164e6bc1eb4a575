"""The tree of folders: what scans have seen of it, remembered, so that folders do not come and go.

A level is made by a bounded scan and can be continued; this process remembers levels for some
minutes, with the time they were counted. Every figure says how much of the keyspace it is from.
The levels that a page shows may be of different ages: an open folder then has the newer count of
what is below it, and only a page that one scan gave calls its counts exact.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.urls import reverse

from dashboard.keys.browsing.state import Browse
from dashboard.keys.survey import passes, reading, words
from dashboard.keys.survey.models import Pass
from dashboard.keys.survey.reading import Known
from dashboard.keys.survey.small_map import SmallMap, Tile, small_map
from dashboard.servers.models import Server
from redisops.keyspace import Folder, Keyspace, Level, merge

SECONDS = 900
LEVELS = 500
SHOWN = 500
# A remembered level keeps so many names at most; beyond, a tree is no way to look at these keys.
NAMES = 20_000
# Seconds within which counts are of one time, as people read a clock.
MOMENT = 1.0


@dataclass(frozen=True)
class Remembered:
    """A level, when its first scan began and its last one ended (seconds since 1970).

    One that a pass counted has no names of keys: ``own`` is how many are directly here, ``other``
    how many lie in small folders that the pass did not tell apart.
    """

    level: Level
    since: float
    at: float
    own: int | None = None
    other: int = 0

    @property
    def loose(self) -> int:
        """Keys that are directly here, in no further folder."""
        return len(self.level.keys) if self.own is None else self.own

    @property
    def keys(self) -> int:
        """All keys below this folder, those in further folders included."""
        return self.loose + self.other + sum(folder.keys for folder in self.level.folders)


class Memory:
    """The newest levels that this process has seen, by server and folder. Thread-safe."""

    def __init__(self) -> None:
        self._levels: OrderedDict[tuple[Any, ...], Remembered] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: tuple[Any, ...]) -> Remembered | None:
        with self._lock:
            found = self._levels.get(place)
            if found is None or time.time() - found.at > SECONDS:
                return None
            self._levels.move_to_end(place)
            return found

    def put(self, place: tuple[Any, ...], remembered: Remembered) -> None:
        with self._lock:
            self._levels[place] = remembered
            self._levels.move_to_end(place)
            while len(self._levels) > LEVELS:
                self._levels.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._levels.clear()


memory = Memory()


@dataclass(frozen=True)
class Branch:
    """One line of the tree. ``keys`` is None for an open folder whose own level was not scanned.

    ``is_loose`` is the line for the open folder's keys that lie in no further folder,
    ``is_other`` the one for all its small folders together. ``is_seen``: the count is only of
    what a scan came across. ``unseen``: so many more may be counted among the other folders.
    """

    name: bytes
    label: bytes
    url: str
    depth: int
    keys: int | None
    share: float
    is_open: bool = False
    is_current: bool = False
    is_loose: bool = False
    is_other: bool = False
    is_seen: bool = False
    unseen: int = 0

    @property
    def in_words(self) -> str:
        return f"{self.share * 100:.0f} percent of the largest folder here"


class Tree:
    """The levels from the root to the open folder, of which only the last may cost a scan."""

    def __init__(self, server: Server, browse: Browse, *, bulk_path: str = "") -> None:
        self.server = server
        self.browse = browse
        self.bulk_path = bulk_path  # where all keys of a folder are changed, for who may
        self.remembered: Remembered | None = None
        self.pass_known: Known | None = None
        self.pass_next: Pass | None = None
        self.seen: dict[bytes, int] = {}
        self.may_count = False

    def read(self, redis: Any, *, scans: int) -> None:
        """Make sure that the open folder's level is known: from a pass, or by a bounded scan.

        A pass knows all but the small folders that it put together: those, and the inside of
        them, are scanned, continued or made anew as asked. What is left of ``scans`` goes to the
        root, so that somebody who arrives by a link sees the folders around, too.
        """
        self.pass_known, self.pass_next = reading.newest(self.server, self.browse.delimiter)
        keyspace = Keyspace(redis)
        prefix = self.browse.prefix
        counted = self._counted(prefix)
        if counted is not None:
            self.remembered = counted
            if counted.other and self.is_counted:
                scanned, _ = self._level(keyspace, prefix, max(scans, 1), self.browse.tree)
                known = {folder.name for folder in counted.level.folders}
                self.seen = {
                    folder.name: folder.keys
                    for folder in scanned.level.folders
                    if folder.name not in known
                }
            return
        share = max(scans // 2, 1) if prefix and self._known(b"") is None else max(scans, 1)
        self.remembered, used = self._level(keyspace, prefix, share, self.browse.tree)
        if prefix and self._known(b"") is None and scans > used:
            self._level(keyspace, b"", scans - used, "")

    def recall(self) -> bool:
        """Take what is known without asking the server; False when nothing is."""
        self.pass_known, self.pass_next = reading.newest(self.server, self.browse.delimiter)
        self.remembered = self._known(self.browse.prefix)
        return self.remembered is not None

    def _level(
        self, keyspace: Keyspace, prefix: bytes, scans: int, wish: str
    ) -> tuple[Remembered, int]:
        """One level, and how many scans it took: none when it is remembered and that will do."""
        known = None if wish == "again" else memory.get(self._place(prefix))
        if known is not None and not (wish == "more" and known.level.cursor):
            return known, 0
        since = known.since if known else time.time()
        level = keyspace.level(
            prefix=prefix,
            delimiter=self.browse.delimiter,
            cursor=known.level.cursor if known else None,
            max_scans=scans,
        )
        used = level.scans
        if known is not None:
            level = merge(known.level, level)
        remembered = Remembered(level, since, time.time())
        if len(level.keys) + len(level.folders) <= NAMES:
            memory.put(self._place(prefix), remembered)
        return remembered, used

    def _known(self, prefix: bytes) -> Remembered | None:
        return self._counted(prefix) or memory.get(self._place(prefix))

    def _counted(self, prefix: bytes) -> Remembered | None:
        """The level as the newest pass counted it; None for a folder that it does not tell."""
        known = self.pass_known
        if known is None:
            return None
        level = known.levels.get(prefix)
        if level is None:
            level = known.levels[prefix] = _of_pass(known, prefix)
        return level if isinstance(level, Remembered) else None

    @property
    def is_counted(self) -> bool:
        """Whether a complete pass gave the open folder's counts."""
        known = self.pass_known
        return known is not None and known.is_complete and self.is_of_a_pass

    @property
    def is_of_a_pass(self) -> bool:
        """Whether a pass gave the open folder's counts, complete or not."""
        return self.remembered is not None and self.remembered.own is not None

    @property
    def map(self) -> SmallMap | None:
        """Memory by folder of the whole server, when a pass measured it."""
        return small_map(self.pass_known) if self.pass_known is not None else None

    @property
    def tiles(self) -> list[tuple[Tile, str]]:
        """The tiles of the map, with the addresses of their folders."""
        return self.map.linked(self.browse.folder_url) if self.map is not None else []

    @property
    def counted_where(self) -> str:
        """Where the pass read: "on replica 10.0.0.5:6379"."""
        known = self.pass_known
        return words.where(known.figures.facts) if known is not None else ""

    @property
    def growing_url(self) -> str:
        """This tree again, as it is by then; asks no server."""
        path = reverse("keys:analysis_tree", args=[self.server.slug])
        return f"{path}?{self.browse.query(cursor='', tree='')}"

    @property
    def is_due(self) -> bool:
        """Whether the page is to ask for a pass, because there is none or an old one."""
        return self.may_count and passes.is_due_at_visit(self.browse.delimiter, self.newest)

    @property
    def visit_url(self) -> str:
        """Where the page asks for it, and gets the tree."""
        path = reverse("keys:analysis_visit", args=[self.server.slug])
        return f"{path}?{self.browse.query(cursor='', tree='')}"

    @property
    def newest(self) -> Pass | None:
        """The newest pass, whatever became of it."""
        return self.pass_next or (self.pass_known.made if self.pass_known else None)

    @property
    def running(self) -> Pass | None:
        """The pass that is under way, if there is one."""
        return self.pass_next if self.pass_next is not None and self.pass_next.is_running else None

    def _place(self, prefix: bytes) -> tuple[Any, ...]:
        return (self.server.pk, self.server.digest, self.browse.delimiter, prefix)

    @property
    def level(self) -> Level:
        assert self.remembered is not None
        return self.remembered.level

    @cached_property
    def _shown(self) -> dict[bytes, Remembered]:
        """The levels on the way from the root to the open one, as far as they are remembered."""
        assert self.remembered is not None
        levels = {self.browse.prefix: self.remembered}
        place = b""
        while place != self.browse.prefix:
            known = self._known(place)
            if known is not None:
                levels[place] = known
            place = self._step_below(place) or self.browse.prefix
        return levels

    @property
    def since(self) -> float:
        """When the oldest of the counts shown began."""
        return min(remembered.since for remembered in self._shown.values())

    @property
    def at(self) -> float:
        """When the newest of the counts shown ended."""
        return max(remembered.at for remembered in self._shown.values())

    @property
    def is_complete(self) -> bool:
        return self.level.cursor is None

    @property
    def is_partial_around(self) -> bool:
        """Whether a level above the open one has not been counted to its end."""
        return any(
            remembered.level.cursor is not None
            for place, remembered in self._shown.items()
            if place != self.browse.prefix
        )

    @property
    def is_of_one_moment(self) -> bool:
        """Whether all counts shown were made within a second."""
        return self.at - self.since < MOMENT

    @property
    def is_exact(self) -> bool:
        """Whether one complete pass, over in a moment, gave every count shown."""
        return self.is_complete and len(self._shown) == 1 and self.is_of_one_moment

    @property
    def hidden(self) -> int:
        """Folders that are not listed because there are too many."""
        return max(0, len(self.level.folders) - SHOWN)

    def branches(self) -> list[Branch]:
        """Lines in order: ancestors with their siblings where remembered, then the open level."""
        return self._level_at(b"", 0)

    def _level_at(self, prefix: bytes, depth: int) -> list[Branch]:
        opened = self._step_below(prefix)
        remembered = self._shown.get(prefix)
        folders = remembered.level.folders[:SHOWN] if remembered else []
        below = self._newer_count(opened, remembered)
        if below is not None:
            folders = [Folder(f.name, below) if f.name == opened else f for f in folders]
        most = max(1, *(folder.keys for folder in folders)) if folders else 1
        unseen = self._unseen(prefix, folders)
        lines = []
        is_listed = any(folder.name == opened for folder in folders)
        if opened is not None and not is_listed:
            lines.append(self._branch(opened, prefix, depth, below, 0.0))
            lines += self._level_at(opened, depth + 1)
        for folder in folders:
            line = self._branch(folder.name, prefix, depth, folder.keys, folder.keys / most)
            more = unseen.get(folder.name, 0)
            lines.append(replace(line, unseen=more) if more else line)
            if folder.name == opened:
                lines += self._level_at(opened, depth + 1)
        if opened is None and remembered is not None:
            lines += self._rest(prefix, depth, remembered, most)
        return lines

    def _rest(self, prefix: bytes, depth: int, here: Remembered, most: int) -> list[Branch]:
        """What the open folder holds beside its listed folders: seen ones, others, loose keys."""
        lines = [
            replace(self._branch(name, prefix, depth, keys, keys / most), is_seen=True)
            for name, keys in list(self.seen.items())[:SHOWN]
        ]
        indent = min(depth, 6)
        if here.other:
            lines.append(Branch(b"", b"", "", indent, here.other, 0.0, is_other=True))
        if here.loose:
            lines.append(Branch(b"", b"", "", indent, here.loose, 0.0, is_loose=True))
        return lines

    def _unseen(self, prefix: bytes, folders: list[Folder]) -> dict[bytes, int]:
        """How many more keys than counted the folders of a level may have, where that is so."""
        known = self.pass_known
        around = self._counted(prefix) if known is not None else None
        if known is None or around is None or not around.other:
            return {}
        found = {folder.name: known.figures.folder(folder.name) for folder in folders}
        return {name: told.unseen for name, told in found.items() if told and told.unseen}

    def _newer_count(self, opened: bytes | None, around: Remembered | None) -> int | None:
        """What is below an open folder by its own level: None unless complete and the newest."""
        own = self._shown.get(opened) if opened is not None else None
        if own is None or own.level.cursor is not None:
            return None
        if around is not None and around.level.cursor is None and around.at > own.at:
            return None
        further = self._step_below(opened or b"")
        deeper = self._newer_count(further, own)
        if deeper is None:
            return own.keys
        listed = sum(folder.keys for folder in own.level.folders if folder.name == further)
        return own.keys - listed + deeper

    def _step_below(self, prefix: bytes) -> bytes | None:
        """The folder on the way from ``prefix`` to the open one; None when it is the open one."""
        rest = self.browse.prefix[len(prefix) :]
        end = rest.find(self.browse.delimiter)
        if end < 0:
            return None
        return prefix + rest[: end + len(self.browse.delimiter)]

    def _branch(
        self, name: bytes, parent: bytes, depth: int, keys: int | None, share: float
    ) -> Branch:
        is_open = self.browse.prefix.startswith(name)
        is_current = self.browse.prefix == name
        if is_current and keys is None:
            assert self.remembered is not None
            keys = self.remembered.keys
        # The open folder closes by going to its parent.
        target = parent if is_current else name
        url = self.browse.folder_url(target)
        return Branch(
            name, name[len(parent) :], url, min(depth, 6), keys, share, is_open, is_current
        )


def _of_pass(known: Known, prefix: bytes) -> Remembered | bool:
    """One level of a pass; False when the pass does not tell that folder apart."""
    figures = known.figures
    here = figures.folder(prefix)
    if here is None:
        return False
    made = known.made
    total = (made.total or 0) if not known.is_complete else figures.counted
    return Remembered(
        Level(
            [Folder(child.name, child.keys) for child in figures.children(prefix)], [],
            None if known.is_complete else "counting", figures.counted,
            max(total, figures.counted),
        ),
        made.begun.timestamp(), made.at.timestamp(), own=here.own, other=here.other,
    )  # fmt: skip
