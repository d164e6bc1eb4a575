"""The map of memory by folder above the tree: the folders of the whole server, a few tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dashboard.keys.survey import words
from dashboard.keys.survey.reading import Known
from dashboard.keys.survey.treemap import SMALL_HEIGHT, SMALL_WIDTH, Place, SmallPlace, places
from redisops import keys as names

TILES = 8
LEAST = 0.03  # of the memory; smaller ones are in the tile of the rest
KEPT = "small map"


@dataclass(frozen=True)
class Tile:
    """One folder (b"": all else) and where it lies."""

    name: bytes
    label: str
    keys: int
    size: str
    percent: str
    place: Place


@dataclass(frozen=True)
class SmallMap:
    """``size`` is the memory of all keys, in words."""

    size: str
    tiles: list[Tile]

    @property
    def words(self) -> str:
        """The map for those who cannot see it."""
        told = ", ".join(f"{tile.label} {tile.percent}" for tile in self.tiles)
        return f"Memory by folder: {told}"

    def linked(self, url_of: Callable[[bytes], str]) -> list[tuple[Tile, str]]:
        """Each tile with the address of its folder, "" for all else."""
        return [(tile, url_of(tile.name) if tile.name else "") for tile in self.tiles]


def small_map(known: Known) -> SmallMap | None:
    """The map of a pass, made once for each; None when no memory was measured."""
    if KEPT not in known.levels:
        known.levels[KEPT] = _made(known)
    made = known.levels[KEPT]
    return made if isinstance(made, SmallMap) else None


def _made(known: Known) -> SmallMap | None:
    root = known.figures.root
    whole = root.bytes.value
    if not root.bytes.measured or not whole:
        return None
    children = sorted(known.figures.children(), key=lambda one: (-one.bytes.value, one.name))
    shown = [one for one in children[:TILES] if one.bytes.value / whole >= LEAST]
    told = [
        (one.bytes.value / whole, one.name, names.printable(one.name), one.keys,
         words.size(one.bytes))
        for one in shown
    ]  # fmt: skip
    rest = 1.0 - sum(share for share, *_ in told)
    if rest > 0.005:
        label = "all else" if shown else "no folders"
        told.append((rest, b"", label, root.keys - sum(one.keys for one in shown), ""))
    told.sort(key=lambda one: -one[0])
    found = places([share for share, *_ in told], SMALL_WIDTH, SMALL_HEIGHT, SmallPlace)
    tiles = [
        Tile(name, label, keys, size, words.percent(share), place)
        for (share, name, label, keys, size), place in zip(told, found, strict=True)
    ]
    return SmallMap(words.size(root.bytes), tiles)
