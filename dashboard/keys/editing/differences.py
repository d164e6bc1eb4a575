"""What a change changes: lines, and within a changed line the words. Bounded for any text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT = 3  # unchanged lines around a change
MATCHED = 1_500  # lines on a side up to which they are matched with one another
SHOWN = 400  # lines of a difference on the page
LONGEST = 600  # characters of a line on the page
TOKENS = 300  # words of a line up to which they are compared

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\w.+-]*|\w+|\s+|[^\w\s]')


@dataclass(frozen=True)
class Row:
    """One line: ``sign`` is "+", "-", " ", or "…" where lines are left out.

    ``pieces`` are (is changed, text); ``old`` and ``new`` line numbers from 1, or None.
    """

    sign: str
    pieces: tuple[tuple[bool, str], ...]
    old: int | None = None
    new: int | None = None

    @property
    def kind(self) -> str:
        return {"+": "add", "-": "del", "…": "gap"}.get(self.sign, "same")


@dataclass(frozen=True)
class Difference:
    """Two texts compared: the ``rows`` of one list, and how many lines went and came."""

    rows: tuple[Row, ...]
    removed: int
    added: int
    is_cut: bool = False

    @property
    def left(self) -> tuple[Row, ...]:
        """The rows as the first text has them, for showing both side by side."""
        return tuple(row for row in self.rows if row.sign != "+")

    @property
    def right(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.sign != "-")


def compare(old: str, new: str) -> Difference:
    """The difference of two texts by lines, with the changed words of each line marked."""
    a, b = old.split("\n"), new.split("\n")
    rows: list[Row] = []
    removed = added = 0
    for tag, i, j, k, m in _changes(a, b):
        if tag == "equal":
            rows.extend(_same(a[i:j], i, k, is_first=i == 0, is_last=j == len(a)))
            continue
        removed, added = removed + j - i, added + m - k
        if len(rows) <= SHOWN:
            rows.extend(_changed(a[i:j], b[k:m], i, k))
    return Difference(tuple(rows[:SHOWN]), removed, added, len(rows) > SHOWN)


def _changes(a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Opcodes as difflib's. What both begin and end with costs nothing, and very long rests are
    one change: matching them takes time with the square of their length."""
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    if start:
        yield "equal", 0, start, 0, start
    old, new = a[start : len(a) - end], b[start : len(b) - end]
    if max(len(old), len(new)) > MATCHED:
        yield "replace", start, len(a) - end, start, len(b) - end
    elif old or new:
        for tag, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
            yield tag, i + start, j + start, k + start, m + start
    if end:
        yield "equal", len(a) - end, len(a), len(b) - end, len(b)


def _same(lines: Sequence[str], i: int, k: int, *, is_first: bool, is_last: bool) -> list[Row]:
    """Unchanged lines: those next to a change, and a gap for the others."""
    every = (
        [Row(" ", ((False, _cut(line)),), i + n + 1, k + n + 1) for n, line in enumerate(lines)]
        if len(lines) <= 2 * CONTEXT + 1
        else []
    )
    if every and not (is_first and is_last):
        return every
    head = range(0 if is_first else CONTEXT)
    tail = range(len(lines) - (0 if is_last else CONTEXT), len(lines))
    shown = [n for n in (*head, *tail) if 0 <= n < len(lines)]
    if every and len(shown) + 1 >= len(lines):
        return every
    rows: list[Row] = []
    last = -1
    for n in [*shown, len(lines)]:
        if n - last > 1:
            count = n - last - 1
            rows.append(
                Row("…", ((False, f"{count:,} line{'' if count == 1 else 's'} as before"),))
            )
        if n < len(lines):
            rows.append(Row(" ", ((False, _cut(lines[n])),), i + n + 1, k + n + 1))
        last = n
    return rows


def _changed(old: Sequence[str], new: Sequence[str], i: int, k: int) -> list[Row]:
    """Removed lines, then added ones; where they pair up, their words are compared."""
    pairs = [_words(a, b) for a, b in zip(old[:SHOWN], new[:SHOWN], strict=False)]
    removed = [
        Row("-", pairs[n][0] if n < len(pairs) else ((False, _cut(line)),), i + n + 1)
        for n, line in enumerate(old[:SHOWN])
    ]
    added = [
        Row("+", pairs[n][1] if n < len(pairs) else ((False, _cut(line)),), None, k + n + 1)
        for n, line in enumerate(new[:SHOWN])
    ]
    return [*removed, *added]


Pieces = tuple[tuple[bool, str], ...]


def _words(old: str, new: str) -> tuple[Pieces, Pieces]:
    """Both lines as pieces, told apart by words; very long lines around their first change."""
    at = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if at is not None and max(len(old), len(new)) > LONGEST:
        skip = max(at - LONGEST // 4, 0)
        old, new = ("…" if skip else "") + old[skip:], ("…" if skip else "") + new[skip:]
    old, new = _cut(old), _cut(new)
    a, b = _TOKEN.findall(old), _TOKEN.findall(new)
    if max(len(a), len(b)) > TOKENS:
        return ((True, old),), ((True, new),)
    left: list[tuple[bool, str]] = []
    right: list[tuple[bool, str]] = []
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        left.append((tag != "equal", "".join(a[i:j])))
        right.append((tag != "equal", "".join(b[k:m])))
    return tuple(p for p in left if p[1]), tuple(p for p in right if p[1])


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
