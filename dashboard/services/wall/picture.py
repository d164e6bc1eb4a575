"""The wall of one moment, for one filter and order: what the page shows and the socket tells."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dashboard.services.wall import saying
from dashboard.services.wall.asking import Ask
from dashboard.services.wall.judging import KINDS, LEVELS, Judged
from dashboard.services.wall.known import Known
from dashboard.services.wall.slots import SLOTS
from redisops.services.model import Event, Instance

CARDS = 21
"""Services in full; those in trouble beyond them are lines, so that a page is bounded."""
ROWS = 12
CALM = 400
GROUPS = 60
OPEN_SERVICES, OPEN_INSTANCES = 12, 100
"""So few are shown in full, well or not."""
CHANGES = 8


@dataclass(frozen=True)
class Row:
    """One instance of a card. ``end`` and ``ttl`` are ms; ``slots`` as in ``slots.py``."""

    id: str
    authority: str
    kind: str
    word: str
    own: str
    note: str
    check: str
    end: int
    ttl: int
    slots: str

    @property
    def mark(self) -> str:
        return KINDS[self.kind][2]

    @property
    def live(self) -> list[Any]:
        """What moves by itself: end and length of its lease (ms), its slots, its last check."""
        return [self.end, self.ttl, self.slots, self.check]

    @property
    def until(self) -> str:
        """When its lease ends."""
        return saying.clock(self.end / 1000) if self.end else ""

    @property
    def bars(self) -> list[tuple[str, str]]:
        """The bars of the slots, the newest at the right: by class one path for all of a kind."""
        first = (SLOTS - len(self.slots)) * 4
        paths: dict[str, str] = {}
        for at, mark in enumerate(self.slots):
            tall = {"x": 12, "w": 10, "-": 3}.get(mark) or 2 + int(mark)
            kind = {"x": "x", "w": "w", "-": "n"}.get(mark, "u")
            bar = f"M{first + at * 4} {12 - tall}h3v{tall}h-3z"
            paths[kind] = paths.get(kind, "") + bar
        return list(paths.items())


@dataclass(frozen=True)
class Card:
    """A service with its instances, worst first; ``more`` says who is not shown."""

    key: str
    service: str
    level: str
    mark: str
    words: str
    foot: str
    rows: list[Row]
    more: str = ""

    @property
    def live(self) -> dict[str, list[Any]]:
        """By instance what moves by itself."""
        return {one.id: one.live for one in self.rows}


@dataclass(frozen=True)
class Calm:
    """A service in one line. ``pulse``: when its next beat is due and the time between two, ms;
    (0, 0) when nobody knows."""

    key: str
    service: str
    level: str
    mark: str
    words: str
    pulse: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Group:
    """Services that stand together: cards, then lines. ``more``: services that are not shown."""

    key: str
    title: str
    words: str
    cards: list[Card] = field(default_factory=list)
    calm: list[Calm] = field(default_factory=list)
    more: int = 0


@dataclass(frozen=True)
class Picture:
    """Everything that the wall shows. ``now`` is the server's clock, ms."""

    ask: Ask
    now: int
    verdict: list[tuple[str, str]]
    banners: list[saying.Banner]
    groups: list[Group]
    changes: list[saying.Change]
    services: int
    instances: int
    found: int
    troubled: int
    is_readable: bool = True

    @property
    def is_empty(self) -> bool:
        """Nobody is registered, as far as may be known."""
        return not self.services and self.is_readable


class Drawing:
    """Draws one filter and order again and again: what did not change is not narrowed again."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self._parts: dict[str, tuple[Judged, Judged | None]] = {}

    def of(self, known: Known) -> Picture:
        """The wall from what is known of a server."""
        ask, everyone = self.ask, known.judged
        parts = {one.seen.name: self._part(one) for one in everyone}
        self._parts = parts
        chosen = [part for _, part in parts.values() if part is not None]
        return Picture(
            ask=ask,
            now=round(known.look.now * 1000),
            verdict=saying.verdict(known.look, everyone),
            banners=saying.banners(known.look, everyone),
            groups=_groups(known, chosen, ask),
            changes=[saying.change(event, events) for event, events in _newest(chosen)],
            services=len(everyone),
            instances=sum(len(one.kinds) for one in everyone),
            found=sum(len(one.kinds) for one in chosen),
            troubled=sum(one.level != "ok" for one in everyone),
            is_readable=not known.look.trouble,
        )

    def _part(self, one: Judged) -> tuple[Judged, Judged | None]:
        before = self._parts.get(one.seen.name)
        if before is not None and before[0] is one:
            return before
        return one, _part(one, self.ask)


def drawn(known: Known, ask: Ask) -> Picture:
    """The wall from what is known of a server, once."""
    return Drawing(ask).of(known)


def _newest(chosen: Iterable[Judged]) -> list[tuple[Event, tuple[Event, ...]]]:
    """The newest changes, with those of their service: of the services that changed last."""
    last = heapq.nlargest(
        CHANGES, (one.seen.events for one in chosen if one.seen.events), key=lambda told: told[0].at
    )
    events = ((event, told) for told in last for event in told[:CHANGES])
    return heapq.nlargest(CHANGES, events, key=lambda one: (one[0].at, one[0].version))


def _part(one: Judged, ask: Ask) -> Judged | None:
    """Those instances of a service that are asked for; None when there are none."""
    if not ask.is_narrow:
        return one
    name = one.seen.name
    if not one.seen.instances:
        return one if ask.fits_empty(name) else None
    kinds = tuple(pair for pair in one.kinds if ask.fits(name, *pair))
    return Judged(one.seen, kinds) if kinds else None


def _groups(known: Known, chosen: list[Judged], ask: Ask) -> list[Group]:
    few = len(chosen) <= OPEN_SERVICES and sum(len(one.kinds) for one in chosen) <= OPEN_INSTANCES
    if ask.group == "worst":
        ordered = sorted(chosen, key=_by_trouble)
        cards = [one for one in ordered if _is_open(one, few)][:CARDS]
        return [_group(known, "worst", "", cards, _others(ordered, cards))]
    if ask.group == "name":
        return [_group(known, "name", "All services", [], sorted(chosen, key=_by_name))]
    parts: dict[str, list[Judged]] = {}
    for one in chosen:
        for value, kinds in _split(one, ask.group).items():
            whole = len(kinds) == len(one.kinds)
            parts.setdefault(value, []).append(one if whole else Judged(one.seen, kinds))
    groups, left, lines = [], CARDS, max(ROWS, CALM // max(1, len(parts)))
    for value in sorted(parts, key=lambda value: (not value, value)):
        ordered = sorted(parts[value], key=_by_trouble)
        cards = [one for one in ordered if _is_open(one, few)][:left]
        left -= len(cards)
        calm = _others(ordered, cards)
        title = f"{ask.group.capitalize()} {value}" if value else _NONE[ask.group]
        groups.append(_group(known, f"{ask.group} {value}", title, cards, calm, lines))
    return groups[:GROUPS]


def _is_open(one: Judged, few: bool) -> bool:  # noqa: FBT001 - private
    return one.level != "ok" or (few and not one.is_empty)


def _others(everyone: list[Judged], chosen: list[Judged]) -> list[Judged]:
    shown = {id(one) for one in chosen}
    return [one for one in everyone if id(one) not in shown]


_NONE = {"zone": "No zone", "version": "No version", "team": "No team"}


def _split(one: Judged, by: str) -> dict[str, tuple[tuple[Instance, str], ...]]:
    found: dict[str, list[tuple[Instance, str]]] = {}
    for pair in one.kinds:
        found.setdefault(_value(pair[0], by)[:60], []).append(pair)
    return {value: tuple(pairs) for value, pairs in found.items()} or {"": ()}


def _value(one: Instance, by: str) -> str:
    if by == "zone":
        return one.zone
    return one.version if by == "version" else one.metadata.get("team", "")


def _by_trouble(one: Judged) -> tuple[int, bool, int, str]:
    worst = min((KINDS[kind][0] for kind in one.counts), default=99)
    return LEVELS[one.level], one.level == "bad" and one.up > 0, worst, one.seen.name


def _by_name(one: Judged) -> str:
    return one.seen.name


def _group(
    known: Known, value: str, title: str, cards: list[Judged], calm: list[Judged], lines: int = CALM
) -> Group:
    well = sum(one.level == "ok" and not one.is_empty for one in calm)
    if not title:
        title = "All well" if well == len(calm) else "All others"
    many = sum(len(one.kinds) for one in (*cards, *calm))
    words = f"{saying.many(len(calm) + len(cards), 'service')}, {saying.many(many, 'instance')}"
    if value == "worst":
        words = f"{saying.many(len(calm), 'service')}; the time is the next heartbeat"
    return Group(
        value, title, words,
        [_card(known, value, one) for one in cards],
        [_line(value, one) for one in calm[:lines]],
        max(0, len(calm) - lines),
    )  # fmt: skip


def _key(value: str, service: str) -> str:
    return service if value in ("worst", "name") else f"{value} {service}"


def _card(known: Known, value: str, one: Judged) -> Card:
    mark, words = one.verdict
    pairs = sorted(one.kinds, key=lambda pair: (KINDS[pair[1]][0], pair[0].id))
    common = saying.common(one)
    rows = [_row(known, one, instance, kind, common) for instance, kind in pairs[:ROWS]]
    room = ROWS - len(rows)
    gone = [_ghost(one, event, "gone") for event in one.lost[: max(room, 4)]]
    left = [_ghost(one, event, "left") for event in one.left[: max(0, room - len(gone))]]
    rest = pairs[ROWS:]
    rows = [*[row for row in rows if KINDS[row.kind][1] == "bad"], *gone,
            *[row for row in rows if KINDS[row.kind][1] != "bad"], *left]  # fmt: skip
    if not pairs and one.died:
        rows = [_ghost(one, one.died, "gone")]
    return Card(
        _key(value, one.seen.name), one.seen.name, one.level, mark, words,
        saying.foot(one, common), rows, saying.rest(rest),
    )  # fmt: skip


def _row(known: Known, one: Judged, instance: Instance, kind: str, common: dict[str, str]) -> Row:
    seen = one.seen
    return Row(
        instance.id, instance.authority, kind, saying.state(kind, instance),
        saying.own(instance, common), saying.note(seen, instance, kind),
        saying.checked(seen.results.get(instance.id)), seen.ends.get(instance.id, 0),
        round(instance.ttl * 1000), known.slots.of(seen.name, instance.id),
    )  # fmt: skip


def _ghost(one: Judged, event: Event, kind: str) -> Row:
    word = "Gone" if kind == "gone" else "Left"
    note = saying.farewell(one.seen, event, word)
    return Row(event.id, "", kind, word, "", note, "", 0, 0, "")


def _line(value: str, one: Judged) -> Calm:
    mark, words = one.verdict
    if one.level == "ok" and not one.is_empty and mark == "ok":
        words = f"{one.up} of {one.total}"
    return Calm(_key(value, one.seen.name), one.seen.name, one.level, mark, words, one.pulse)
