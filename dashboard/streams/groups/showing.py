"""Groups in words: how each stands, what wants a person, and what that person can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dashboard.streams.groups.room import LONGEST, short
from dashboard.ui import numbers
from redisops import keys
from redisops.streams.groups import Group, Look, PendingEntry, Rates
from redisops.streams.pending import (
    MOST_WINDOW,
    Consumer,
    Seen,
    Window,
    by_age,
    by_deliveries,
    poison,
    stuck,
)

STUCK = 300.0
"""Seconds without asking, with entries in hand, after which a consumer is called stuck."""
STILL = 20.0
"""Seconds in which a group with unread entries does nothing, after which it looks stuck."""
POISON = 5
"""Deliveries without an acknowledgement from which an entry is called poison."""
RANK = {"bad": 0, "warn": 1, "unknown": 2, "ok": 3}


@dataclass(frozen=True)
class GroupRow:
    """One group as a row; ``rates`` is None until there were two looks.

    ``still`` is the seconds in which it was seen to do nothing, None when it moved.
    """

    group: Group
    rates: Rates | None
    still: float | None = None

    @property
    def name(self) -> str:
        return (keys.printable(self.group.name) or "(empty name)") + "…" * self.group.is_cut

    @property
    def has_page(self) -> bool:
        return not self.group.is_cut and len(self.group.name) <= LONGEST

    @property
    def oldest(self) -> float | None:
        """Seconds since the oldest pending entry was delivered."""
        return None if self.group.oldest is None else self.group.oldest.idle / 1000

    @cached_property
    def verdict(self) -> tuple[str, str]:
        """The state, and a sentence that goes on after the group's name."""
        group, grows = self.group, self.rates is not None and (self.rates.growth or 0) > 0
        behind = f"is {numbers.exact(group.lag)} {entries(group.lag)} behind"
        if group.pending and self.oldest is not None and self.oldest >= STUCK:
            held = f"{numbers.exact(group.pending)} {entries(group.pending)}"
            return "bad", f"holds {held} unacknowledged, the oldest for " + numbers.duration(
                self.oldest
            )
        if group.lag and not group.consumers:
            return "warn", f"{behind} and has no consumer"
        if self.looks_stuck:
            return "warn", f"looks stuck: {behind.removeprefix('is ')}, and nothing was read or " \
                f"acknowledged for {numbers.duration(self.still)}"  # fmt: skip
        if group.lag and grows and self.rates is not None:
            return "warn", f"{behind} and falls back by {numbers.count(self.rates.growth)}/s"
        if group.lag is None:
            return "unknown", "has a lag that the server does not know"
        return "ok", behind if group.lag else "has read everything"

    @property
    def looks_stuck(self) -> bool:
        """Whether entries wait, consumers are there, and yet nothing moves."""
        return bool(self.group.lag and self.group.consumers) and (self.still or 0) >= STILL

    @property
    def state(self) -> str:
        return self.verdict[0]

    @property
    def drain(self) -> str:
        """Time until nothing is unread, in words."""
        if self.group.lag == 0:
            return "nothing to read"
        if self.group.lag is None or self.rates is None or self.rates.growth is None:
            return "unknown"
        if self.rates.drain is not None:
            return "about " + numbers.duration(self.rates.drain)
        return "never at this pace"


def entries(count: int | None) -> str:
    return "entry" if count == 1 else "entries"


def worst_first(rows: Sequence[GroupRow]) -> list[GroupRow]:
    return sorted(
        rows, key=lambda row: (RANK[row.state], -(row.group.lag or 0), -row.group.pending)
    )


@dataclass(frozen=True)
class Trouble:
    """What wants a person: a title, what is so, and what can be done (verb, scope, label)."""

    kind: str
    title: str
    text: str
    acts: list[tuple[str, str, str]] = field(default_factory=list)
    see: str = ""


@dataclass(frozen=True)
class Row:
    """One pending entry; ``seen`` is what a form sends, "" when its consumer's name is cut."""

    entry: PendingEntry
    is_cut: bool

    @property
    def seen(self) -> str:
        return "" if self.is_cut else str(Seen.of(self.entry))

    @property
    def consumer(self) -> str:
        return short(self.entry.consumer)

    @property
    def idle(self) -> float:
        return self.entry.idle / 1000

    @property
    def is_poison(self) -> bool:
        return self.entry.deliveries >= POISON

    @property
    def added(self) -> float | None:
        """Seconds since 1970, where the id is a time: people may give ids of their own."""
        seconds = self.entry.milliseconds / 1000
        return seconds if 1e9 < seconds < 2e10 else None


@dataclass(frozen=True)
class ConsumerRow:
    """One consumer and its share of what the group holds."""

    consumer: Consumer
    share: float

    @property
    def name(self) -> str:
        return short(self.consumer.name, 80)

    @property
    def in_form(self) -> str:
        """Its name in a form or an address; "" when it is too long for one."""
        name = self.consumer.name
        return "" if self.consumer.is_cut or len(name) > LONGEST else keys.to_url(name)

    @property
    def is_stuck(self) -> bool:
        return bool(stuck([self.consumer], STUCK))

    @property
    def idle(self) -> float:
        return self.consumer.idle / 1000

    @property
    def oldest(self) -> float | None:
        return None if self.consumer.oldest is None else self.consumer.oldest.idle / 1000


@dataclass(frozen=True)
class Standing:
    """One group in full; ``window`` are the oldest entries that it holds."""

    look: Look
    row: GroupRow
    window: Window

    @property
    def group(self) -> Group:
        return self.row.group

    @cached_property
    def consumers(self) -> list[ConsumerRow]:
        whole = max(self.group.pending, 1)
        rows = [ConsumerRow(one, min(one.pending / whole, 1.0)) for one in self.window.consumers]
        return sorted(rows, key=lambda row: (not row.is_stuck, -row.consumer.pending))

    @property
    def is_all(self) -> bool:
        """Whether the window is everything that is pending."""
        return self.window.next is None

    @property
    def sample(self) -> str:
        return "" if self.is_all else f"of the oldest {MOST_WINDOW:,}"

    @property
    def ages(self) -> list[tuple[str, int, float]]:
        found = by_age(self.window.rows)
        return [(_span(one.low, one.high), one.count, self._share(one.count)) for one in found]

    @property
    def deliveries(self) -> list[tuple[str, int, float]]:
        found = by_deliveries(self.window.rows)
        return [(_times(one.low, one.high), one.count, self._share(one.count)) for one in found]

    def _share(self, count: int) -> float:
        return count / max(len(self.window.rows), 1)

    @cached_property
    def troubles(self) -> list[Trouble]:
        """Worst first: stuck consumers, poison messages, a lag that grows, nobody who reads."""
        found = [
            *self._stuck(), *self._still(), *self._poison(), *self._held(), *self._behind(),
        ]  # fmt: skip
        return sorted(found, key=lambda one: one.kind != "bad")

    def _stuck(self) -> list[Trouble]:
        found = stuck(self.window.consumers, STUCK)
        told = []
        for one in found[:3]:
            row = ConsumerRow(one, 0.0)
            since = f"; the oldest for {numbers.duration(row.oldest)}" if row.oldest else ""
            acts = [("claim", "consumer:" + row.in_form,
                     f"Claim {_its(one.pending)} for another…")] if row.in_form else []  # fmt: skip
            told.append(Trouble(
                "bad", f"{row.name} is stuck",
                f"Holds {numbers.exact(one.pending)} {entries(one.pending)}{since}. It last asked "
                f"for work {numbers.duration(row.idle)} ago. If it is gone, hand what it holds to "
                "another; if it hangs, restart it.", acts, row.in_form,
            ))  # fmt: skip
        if len(found) > 3:
            told.append(Trouble(
                "bad", f"{len(found) - 3} more consumers are stuck",
                "They are marked in the list of consumers.",
            ))  # fmt: skip
        return told

    def _still(self) -> list[Trouble]:
        """A group that does nothing though it could: its handler hangs, and shows that it lives."""
        if not self.row.looks_stuck or (self.consumers and self.consumers[0].is_stuck):
            return []
        group, holders = self.group, [one for one in self.consumers if one.consumer.pending]
        held = ""
        if holders:
            first = holders[0]
            count = numbers.exact(first.consumer.pending)
            held = f" {first.name} holds {count} {entries(first.consumer.pending)}."
        return [Trouble(
            "warn", f"{holders[0].name if holders else self.row.name} looks stuck",
            f"Nothing was read or acknowledged for {numbers.duration(self.row.still)}, and "
            f"{numbers.exact(group.lag)} {entries(group.lag)} wait.{held} A handler that takes "
            "long or hangs looks like this: look at what it waits for, or restart it.", [],
            holders[0].in_form if holders else "",
        )]  # fmt: skip

    def _poison(self) -> list[Trouble]:
        found = poison(self.window.rows, POISON)
        if not found:
            return []
        worst = found[0]
        which = f", {self.sample}" if self.sample else ""
        text = (
            f"Delivered {POISON} times or more and never acknowledged{which}. The worst is "
            f"{worst.id}, delivered {worst.deliveries:,} times, now with {short(worst.consumer)}. "
            "Look at it; when no retry can help, move it out of the way."
        )
        title = f"{len(found):,} poison message{'s' * (len(found) != 1)}"
        return [Trouble("bad", title, text, [("bury", "poison", "Move to dead letters…")])]

    def _held(self) -> list[Trouble]:
        """Old entries in the hands of consumers that still ask for work."""
        lazy = [one for one in self.consumers if not one.is_stuck and (one.oldest or 0) >= STUCK]
        if not lazy:
            return []
        worst = max(lazy, key=lambda one: one.oldest or 0)
        return [Trouble(
            "warn", f"{worst.name} does not acknowledge",
            f"It still asks for work, and holds its oldest entry for "
            f"{numbers.duration(worst.oldest)}. It is slow, or it failed and forgot to say so: "
            "most workers look at what they hold when they start again.", [], worst.in_form,
        )]  # fmt: skip

    def _behind(self) -> list[Trouble]:
        group, rates = self.group, self.row.rates
        if group.lag and not group.consumers:
            return [Trouble(
                "warn", "Nobody reads",
                f"{numbers.exact(group.lag)} {entries(group.lag)} wait and the group has no "
                "consumer. Start a worker, or delete the group if nobody needs it.",
            )]  # fmt: skip
        if rates is None or not group.lag or (rates.growth or 0) <= 0:
            return []
        text = (
            f"{self.row.name} reads {numbers.count(rates.read)}/s; {numbers.count(rates.added)}/s "
            "arrive. Add workers, or make one entry cheaper."
        )
        if rates.loss is not None:
            text += (" The stream is trimmed: at this pace the first unread entry is lost in about "
                     f"{numbers.duration(rates.loss)}.")  # fmt: skip
        return [Trouble("warn", f"Lag grows by {numbers.count(rates.growth)} a second", text)]


def verdict(look: Look, rows: Sequence[GroupRow]) -> tuple[str, str]:
    """The sentence under the title of a stream's groups."""
    if not rows:
        return "unknown", "No group reads it: its entries wait for whoever asks."
    bad = [row for row in rows if row.state in ("bad", "warn")]
    if bad:
        more = len(bad) - 1
        rest = f" {more} more want{'s' * (more == 1)} a look." if more else ""
        return bad[0].state, f"{bad[0].name[:60]} {bad[0].verdict[1]}.{rest}"
    unknown = [row for row in rows if row.state == "unknown"]
    if unknown:
        return "unknown", f"{unknown[0].name[:60]} {unknown[0].verdict[1]}."
    lag = max(row.group.lag or 0 for row in rows)
    well = f"at most {numbers.exact(lag)} {entries(lag)} behind" if lag else "nothing unread"
    return "ok", f"All {len(rows)} keep up: {well}." if len(rows) > 1 else f"It keeps up: {well}."


def _its(count: int) -> str:
    return f"its {numbers.exact(count)}"


def _span(low: int, high: int | None) -> str:
    if not low:
        return f"under {numbers.duration(high)}"
    if high is None:
        return f"{numbers.duration(low)} and more"
    return f"{numbers.duration(low)} to {numbers.duration(high)}"


def _times(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} times and more"
    if high - low == 1:
        return "once" if low == 1 else f"{low} times"
    return f"{low} to {high - 1} times"
