"""How much of each folder has a TTL, as of the last count of all keys."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

from dashboard.servers.counted import Counted
from redisops.eviction import Standing, Weight
from redisops.survey import Figures, FolderFigures

SHOWN = 8


@dataclass(frozen=True)
class Folder:
    """One folder: ``share`` of its keys that have a TTL, 0 to 1; bytes of all its keys."""

    name: bytes
    keys: int
    bytes: float | None
    share: float


@dataclass(frozen=True)
class Coverage:
    """The largest folders by memory, and when they were counted."""

    folders: list[Folder]
    more: int
    at: datetime.datetime
    is_complete: bool
    share: float


def weighed(standing: Standing, seen: Counted | None) -> Standing:
    """The same with the bytes of the last count, for as many keys as there are now."""
    if seen is None or not standing.keys:
        return standing
    root = seen.figures.root
    size = root.bytes
    if not size.measured or not root.keys:
        return standing
    scale = standing.keys / root.keys
    return replace(
        standing, counted=Weight(size.value * scale, size.low * scale, size.high * scale)
    )


def of(seen: Counted | None) -> Coverage | None:
    """None when nobody has counted, or nobody may ask for TTLs. Asks nobody."""
    if seen is None:
        return None
    whole = _folder(seen.figures.root)
    if whole is None:
        return None
    found = [one for one in map(_folder, top_folders(seen.figures)) if one is not None]
    found.sort(key=lambda one: (-(one.bytes or 0), -one.keys, one.name))
    return Coverage(
        found[:SHOWN], max(len(found) - SHOWN, 0), seen.at, seen.is_complete, whole.share
    )


def top_folders(figures: Figures) -> list[FolderFigures]:
    """The folders at the top; of one that holds nearly everything those below it instead."""
    level = figures.children()
    for _ in range(3):
        main = max(level, key=lambda one: one.keys, default=None)
        if main is None or main.keys < 0.9 * figures.root.keys:
            break
        below = figures.children(main.name)
        if not below or main.own > main.keys / 2:
            break
        level = [one for one in level if one is not main] + below
    return level


def _folder(one: FolderFigures) -> Folder | None:
    lasting = one.without_expiry
    if lasting is None or not one.keys:
        return None
    size = one.bytes
    return Folder(one.name, one.keys, size.value if size.measured else None, 1 - lasting.value)
