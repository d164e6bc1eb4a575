"""Shares as rectangles: each as close to a square as the others allow, the largest first.

The way of Bruls, Huizing and van Wijk, Squarified Treemaps (2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TONES = "abcde"
WIDTH, HEIGHT = 1100.0, 300.0  # the shape that the squares are made for
SMALL_WIDTH, SMALL_HEIGHT = 232.0, 84.0


@dataclass(frozen=True)
class Place:
    """Where a share lies, in percent of the whole, and its tone."""

    x: float
    y: float
    width: float
    height: float
    tone: str

    @property
    def text_x(self) -> float:
        """Where text begins, in percent."""
        return self.x + 0.9

    @property
    def text_y(self) -> float:
        """Where the first line stands, in pixels."""
        return self.y / 100 * HEIGHT + 20

    @property
    def second_y(self) -> float:
        """Where the second line stands, in pixels."""
        return self.text_y + 16

    @property
    def letters(self) -> int:
        """How many letters of a name fit."""
        return max(int((self.width / 100 * WIDTH - 20) / 7), 1)

    @property
    def is_narrow(self) -> bool:
        """Whether there is no room for a name on a phone."""
        return self.width < 20

    @property
    def has_room(self) -> bool:
        """Whether a name fits."""
        return self.width >= 6 and self.height >= 10

    @property
    def has_two_lines(self) -> bool:
        """Whether a second line fits."""
        return self.width >= 8 and self.height >= 24


class SmallPlace(Place):
    """A place on the small map beside the list of keys."""

    @property
    def text_x(self) -> float:
        return self.x + 2.5

    @property
    def text_y(self) -> float:
        return self.y / 100 * SMALL_HEIGHT + 15

    @property
    def letters(self) -> int:
        return max(int((self.width / 100 * SMALL_WIDTH - 8) / 7), 1)

    @property
    def has_room(self) -> bool:
        return self.width / 100 * SMALL_WIDTH >= 32 and self.height / 100 * SMALL_HEIGHT >= 20

    @property
    def has_two_lines(self) -> bool:
        return self.has_room and self.height / 100 * SMALL_HEIGHT >= 36


def places(
    shares: Sequence[float], width: float = WIDTH, height: float = HEIGHT,
    kind: type[Place] = Place,
) -> list[Place]:  # fmt: skip
    """A place for each share, in their order; they must fall, and 0 gets none."""
    whole = sum(shares) or 1.0
    areas = [share / whole * width * height for share in shares if share > 0]
    found: list[tuple[float, float, float, float]] = []
    x = y = 0.0
    w, h = width, height
    while areas:
        row = _row(areas, min(w, h))
        areas = areas[len(row) :]
        deep = sum(row) / max(min(w, h), 1e-9)
        at = 0.0
        for area in row:
            long = area / max(deep, 1e-9)
            found.append((x, y + at, deep, long) if w >= h else (x + at, y, long, deep))
            at += long
        x, y, w, h = (x + deep, y, w - deep, h) if w >= h else (x, y + deep, w, h - deep)
    return [
        kind(
            round(left / width * 100, 3), round(top / height * 100, 3),
            round(wide / width * 100, 3), round(tall / height * 100, 3),
            TONES[min(rank, len(TONES) - 1)],
        )
        for rank, (left, top, wide, tall) in enumerate(found)
    ]  # fmt: skip


def _row(areas: Sequence[float], side: float) -> list[float]:
    """As many of the first areas as make the row along ``side`` squarest."""
    row = [areas[0]]
    for area in areas[1:]:
        if _worst([*row, area], side) > _worst(row, side):
            break
        row.append(area)
    return row


def _worst(row: Sequence[float], side: float) -> float:
    """The most oblong of the rectangles of a row: 1 is a square."""
    total = sum(row)
    square = side * side
    return max(square * max(row) / (total * total), total * total / (square * min(row)))
