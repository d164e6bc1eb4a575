"""Small drawings of values: places on a map, bits in a grid. Numbers for templates to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

from redisops.values.pages import Bits

WIDTH, HEIGHT, EDGE = 400, 240, 24
ACROSS = 64
ROWS = 64


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    name: str
    labelled: bool

    @property
    def dx(self) -> int:
        """Where the label starts: on the side that has room."""
        return -6 if self.x > WIDTH * 0.7 else 6


@dataclass(frozen=True)
class Map:
    """Places by longitude and latitude, one degree equally long both ways at their middle."""

    dots: list[Dot]
    west: float
    east: float
    south: float
    north: float
    circle: tuple[float, float, float, float] | None

    @classmethod
    def of(
        cls, places: list[tuple[float, float, str]], circle: tuple[float, float, float] | None
    ) -> Map:
        longitudes = [place[0] for place in places]
        latitudes = [place[1] for place in places]
        if circle:
            reach = circle[2] / 111_320
            wide = reach / max(math.cos(math.radians(circle[1])), 0.05)
            longitudes += [circle[0] - wide, circle[0] + wide]
            latitudes += [circle[1] - reach, circle[1] + reach]
        middle = (min(latitudes) + max(latitudes)) / 2
        shrink = max(math.cos(math.radians(middle)), 0.05)
        width = max(max(longitudes) - min(longitudes), 1e-4) * shrink
        height = max(max(latitudes) - min(latitudes), 1e-4)
        scale = min((WIDTH - 2 * EDGE) / width, (HEIGHT - 2 * EDGE) / height)
        centre = (min(longitudes) + max(longitudes)) / 2

        def x(longitude: float) -> float:
            return round(WIDTH / 2 + (longitude - centre) * shrink * scale, 1)

        def y(latitude: float) -> float:
            return round(HEIGHT / 2 - (latitude - middle) * scale, 1)

        drawn = None
        if circle:
            ry = circle[2] / 111_320 * scale
            drawn = (x(circle[0]), y(circle[1]), round(ry, 1), round(ry, 1))
        label = len(places) <= 12
        dots = [Dot(x(lon), y(lat), name, label) for lon, lat, name in places]
        return cls(dots, min(longitudes), max(longitudes), min(latitudes), max(latitudes), drawn)


@dataclass(frozen=True)
class Run:
    """Set bits beside each other in one row of the grid."""

    x: int
    y: int
    width: int


@dataclass(frozen=True)
class Bitmap:
    """Up to 4,096 bits, 64 across, the first on the top left."""

    runs: list[Run]
    height: int
    size: int

    @classmethod
    def of(cls, bits: Bits) -> Bitmap:
        size = min(bits.size, ACROSS * ROWS)
        runs = []
        for first, last in bits.ranges:
            start, end = first - bits.first, min(last - bits.first, size - 1)
            while start <= end:
                row_end = min(end, (start // ACROSS + 1) * ACROSS - 1)
                runs.append(Run(start % ACROSS, start // ACROSS, row_end - start + 1))
                start = row_end + 1
        return cls(runs, -(-size // ACROSS), size)
