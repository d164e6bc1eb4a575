"""Every key counted under its folder, in bounded memory.

Keys are counted where they lie; a folder's total is made when somebody asks. There are at most
``limit`` folders between two calls: beyond, the smallest are folded into their
parent's ``other``, whose keys stay counted to the last one. A folder that comes back after it was
folded does not know how many of its keys are in there: ``missed`` is the most that it can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from redisops.errors import InvalidArgument
from redisops.survey.samples import Sample, joined

DEEPEST = 16  # folders within folders; what lies deeper is counted in the last one's other
LONGEST = 1024  # bytes of a folder's whole name; longer ones are counted in the one around
ROOT = b""


class Folder:
    """One folder's own counts, without those of the folders within it.

    ``keys`` lie directly here, ``other`` in folders below that are not told apart, of which
    ``folded`` were put there (one that came back twice counts twice). ``missed``: how many keys
    of one folder below may be hidden in ``other`` at most; ``unseen``: how many of this folder's
    own keys may be in its parent's. ``sample`` is of every n-th key here, ``extra`` of further
    ones, ``rest`` of every n-th of the others.
    """

    __slots__ = (
        "children", "extra", "folded", "keys", "missed", "other", "rest", "sample", "unseen",
    )  # fmt: skip

    def __init__(self, unseen: int = 0) -> None:
        self.keys = 0
        self.other = 0
        self.folded = 0
        self.unseen = unseen
        self.missed = unseen
        self.children = 0
        self.sample: Sample | None = None
        self.extra: Sample | None = None
        self.rest: Sample | None = None


class Folders:
    """All folders of a keyspace by their whole name with its last delimiter; the root is b"".

    ``made`` counts the folders ever made, those that came back included.
    """

    def __init__(self, delimiter: bytes = b":", limit: int = 20_000) -> None:
        if not delimiter:
            raise InvalidArgument("delimiter b'' splits nothing: give at least one byte")
        if limit < 10:
            raise InvalidArgument(f"limit {limit} must be at least 10 folders")
        self.delimiter = delimiter
        self.limit = limit
        self.made = 0
        self.by_name: dict[bytes, Folder] = {ROOT: Folder()}

    def __len__(self) -> int:
        return len(self.by_name)

    def name_of(self, key: bytes) -> bytes:
        """The folder that a key lies in, however deep: all up to its last delimiter."""
        if len(self.delimiter) == 1:
            return key[: key.rfind(self.delimiter) + 1]
        return key[: len(key) - len(key.split(self.delimiter)[-1])]

    def names_of(self, keys: Sequence[bytes]) -> list[bytes]:
        """``name_of`` for many keys."""
        mark = self.delimiter
        if len(mark) == 1:
            return [key[: key.rfind(mark) + 1] for key in keys]
        return [self.name_of(key) for key in keys]

    def parent(self, name: bytes) -> bytes:
        """The folder around a folder."""
        return self.name_of(name[: -len(self.delimiter)])

    def count(self, name: bytes, keys: int) -> Folder | None:
        """Count ``keys`` more in the folder ``name``; None when that is too deep to be told."""
        folder = self.by_name.get(name)
        if folder is None:
            folder = self._made(name)
            if folder is None:
                self.by_name[self.nearest(name)].other += keys
                return None
        folder.keys += keys
        return folder

    def nearest(self, name: bytes) -> bytes:
        """The name of the smallest folder there is that ``name`` is in or is."""
        if name in self.by_name:
            return name
        found = ROOT
        for place in self._steps(name):
            if place not in self.by_name:
                break
            found = place
        return found

    def _steps(self, name: bytes) -> Iterable[bytes]:
        """The folders on the way down to ``name``, as far as they can be told apart."""
        end, width = 0, len(self.delimiter)
        for _ in range(DEEPEST):
            end = name.find(self.delimiter, end)
            if end < 0 or end + width > LONGEST:
                return
            end += width
            yield name[:end]

    def _made(self, name: bytes) -> Folder | None:
        around, folder = self.by_name[ROOT], None
        place = ROOT
        for place in self._steps(name):
            folder = self.by_name.get(place)
            if folder is None:
                folder = self.by_name[place] = Folder(around.missed)
                around.children += 1
                self.made += 1
            around = folder
        return folder if place == name else None

    def fold(self) -> None:
        """Put the smallest folders into their parents' ``other`` when there are too many.

        A quarter goes at once, so that it costs little for each folder that is made.
        """
        if len(self.by_name) <= self.limit:
            return
        keep = self.limit - self.limit // 4
        while len(self.by_name) > keep:
            leaves = [
                (folder.keys + folder.other, name)
                for name, folder in self.by_name.items()
                if not folder.children and name
            ]
            leaves.sort(key=itemgetter(0))
            lost: dict[bytes, int] = {}
            for size, name in leaves[: len(self.by_name) - keep]:
                around = self.parent(name)
                self._put_away(name, around, size)
                lost[around] = size  # ascending: the last is the largest
            for around, most in lost.items():
                self.by_name[around].missed += most

    def _put_away(self, name: bytes, around: bytes, size: int) -> None:
        folder = self.by_name.pop(name)
        parent = self.by_name[around]
        parent.children -= 1
        parent.other += size
        parent.folded += folder.folded + 1
        parent.rest = joined(parent.rest, folder.sample, folder.rest)

    def join(self, others: Folders) -> None:
        """Add the folders of another part of the keyspace."""
        for name in sorted(others.by_name, key=len):
            theirs = others.by_name[name]
            mine = self.by_name.get(name) or self._made(name)
            assert mine is not None  # every name of theirs is one that can be told apart
            mine.keys += theirs.keys
            mine.other += theirs.other
            mine.folded += theirs.folded
            mine.unseen += theirs.unseen
            mine.missed += theirs.missed
            mine.sample = joined(mine.sample, theirs.sample)
            mine.extra = joined(mine.extra, theirs.extra)
            mine.rest = joined(mine.rest, theirs.rest)
        self.fold()

    def packed(self) -> list[Any]:
        """Everything as JSON takes it; names as text of one character for each byte."""
        return [
            self.delimiter.decode("latin-1"), self.limit, self.made,
            [
                [
                    name.decode("latin-1"), one.keys, one.other, one.folded, one.unseen, one.missed,
                    one.sample and one.sample.packed(), one.extra and one.extra.packed(),
                    one.rest and one.rest.packed(),
                ]
                for name, one in self.by_name.items()
            ],
        ]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: list[Any]) -> Folders:
        """The inverse of ``packed``."""
        delimiter, limit, made, rows = packed
        folders = cls(delimiter.encode("latin-1"), limit)
        folders.made = made
        for text, keys, other, folded, unseen, missed, sample, extra, rest in rows:
            name = text.encode("latin-1")
            one = folders.by_name[name] = Folder(unseen)
            one.keys, one.other, one.folded, one.missed = keys, other, folded, missed
            one.sample = Sample.unpacked(sample) if sample else None
            one.extra = Sample.unpacked(extra) if extra else None
            one.rest = Sample.unpacked(rest) if rest else None
        for name in folders.by_name:
            if name:
                folders.by_name[folders.parent(name)].children += 1
        return folders
