"""Who discovers a service, and what callers saw of its instances: as readers tell it, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.services.history.foreign import plain
from dashboard.ui import numbers
from redisops.services.readers import Passive, Reader, Readers

SHOWN = 12
"""Reading services on one page."""
BAD = 0.5
"""A share of failed calls that is no mere blemish."""


@dataclass(frozen=True)
class Seen:
    """What callers saw of one instance: a state's shape ("" for none), and two sentences."""

    shape: str
    words: str
    sense: str = ""


@dataclass(frozen=True)
class Group:
    """Readers of one name. ``since``: the longest of them reads since then; ``at``: when the oldest
    of their copies was confirmed; ``behind``: changes that the oldest one lacked then."""

    name: str
    library: str
    count: int
    since: float
    at: float
    behind: int
    per_second: float
    calls: int
    failed: int
    deaf: int

    @property
    def share(self) -> float:
        """Failed calls out of all, 0 to 1."""
        return self.failed / self.calls if self.calls else 0.0

    @property
    def picks(self) -> str:
        """How often they pick."""
        return f"{numbers.count(self.per_second)}/s" if self.per_second else "none"


@dataclass(frozen=True)
class Callers:
    """All readers of a service. ``listeners``: connections that hear of its changes, None when the
    server does not say; ``untold`` of them are of no reader that told of itself."""

    is_known: bool
    groups: list[Group]
    told: int
    more: bool
    malformed: int
    listeners: int | None
    untold: int

    @property
    def least(self) -> int:
        """So many readers there are at least."""
        return self.told + self.untold

    @property
    def shown(self) -> list[Group]:
        return self.groups[:SHOWN]

    @property
    def others(self) -> int:
        """Reading services that are not shown."""
        return max(0, len(self.groups) - SHOWN)


def callers(readers: Readers | None, listeners: int | None, version: int) -> Callers:
    """Who reads a service that is at ``version`` now."""
    known = readers or Readers()
    by_name: dict[str, list[Reader]] = {}
    for one in known.told:
        by_name.setdefault(one.name, []).append(one)
    groups = [_group(name, several, version) for name, several in by_name.items()]
    groups.sort(key=lambda one: (-one.failed, -one.per_second, one.name))
    untold = max(0, (listeners or 0) - known.hearing)
    return Callers(
        readers is not None, groups, len(known.told), known.more, known.malformed, listeners, untold
    )


def seen(passive: Passive | None, readers: Readers | None) -> Seen:
    """What callers saw of one instance in the last minute."""
    if readers is None:
        return Seen("", "not known", "the console's user may not read what readers say")
    if passive is None:
        return Seen("", "no calls told" if readers.told else "nobody tells")
    who = f"told by {passive.readers} reader{'s' if passive.readers != 1 else ''}"
    if passive.ejected:
        who += f"; {_leave(passive.ejected)} it alone"
    if not passive.calls:
        return Seen("warn" if passive.ejected else "", "not called", who)
    calls = f"{numbers.count(passive.calls)} call{'s' if passive.calls != 1 else ''}"
    if not passive.failed:
        return Seen("warn" if passive.ejected else "ok", f"{calls}, none failed", who)
    is_bad = passive.ejected or passive.failed >= BAD * passive.calls
    words = f"{numbers.count(passive.failed)} of {calls} failed"
    return Seen("bad" if is_bad else "warn", words, who)


def _leave(count: int) -> str:
    return "1 leaves" if count == 1 else f"{count} leave"


def _group(name: str, several: Iterable[Reader], version: int) -> Group:
    readers = list(several)
    saws = [saw for one in readers for saw in one.seen.values()]
    # The oldest copy is of the smallest version, unless Redis lost its data meanwhile.
    behind = max(0, version - min(one.version for one in readers))
    return Group(
        plain(name, 60), plain(readers[0].library, 40), len(readers),
        min(one.since for one in readers), min(one.at for one in readers), behind,
        sum(one.picks / one.over for one in readers if one.over > 0),
        sum(one.calls for one in saws), sum(one.failed for one in saws),
        sum(not one.hears for one in readers),
    )  # fmt: skip
