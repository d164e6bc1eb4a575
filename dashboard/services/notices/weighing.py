"""From changes to who is in trouble, and from there to what is said. No I/O."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dashboard.services.history.models import Change
from dashboard.services.notices import beyond
from dashboard.services.notices.beyond import Entries
from dashboard.services.notices.models import RANKS
from redisops.services import Reading
from redisops.services.model import BY_ITSELF, GONE_FOR

DAY = 86_400.0
LEVELS = {"silent": "warning", "warning": "warning", "gone": "critical", "critical": "critical"}
TOGETHER = {
    "problem": "problem", "worse": "problem", "flapping": "problem", "reminder": "reminder",
    "recovered": "recovered", "closed": "recovered", "steady": "recovered",
}  # fmt: skip
"""As what a service is told of that is told of with many others."""
NAMED = 5
"""Of many services, those that a title names."""
SHOWN = 20
"""Instances that one notification names."""


def fold(entries: Entries, change: Change) -> bool:
    """Apply one change; whether anything is otherwise now."""
    if change.is_gap:
        for entry in entries.values():  # what became of it may have been in the gap
            entry[2] = entry[2] or change.at.timestamp() + GONE_FOR
        return False
    state, until = _state(change), 0.0
    if state is None:
        return False
    if state == "gone":
        until = change.at.timestamp() + GONE_FOR
    before = entries.get(change.instance)
    if before is None and (len(entries) >= beyond.MOST or beyond.is_any(entries)):
        is_less = beyond.take_out(entries, change)
        if state and len(entries) >= beyond.MOST:
            beyond.add(entries, state, change.at.timestamp(), until)
            return True
        if not state:
            return is_less
    if state == "":
        return entries.pop(change.instance, None) is not None
    since = before[1] if before and before[0] == state else change.at.timestamp()
    entries[change.instance] = [state, since, until, change.why[:120]]
    return before is None or before[0] != state


def is_trouble(change: Change) -> bool:
    """Whether somebody may have to be told, whatever was before."""
    return not change.is_gap and bool(_state(change))


def _state(change: Change) -> str | None:
    """The trouble that the instance is in after it, "" for none, None for as it was."""
    if change.state == "gone":
        died = change.why in BY_ITSELF and change.from_state not in ("draining", "maintenance")
        return "gone" if died else ""
    if change.state == "starting":
        return None  # it was gone or critical, and has yet to prove that it is well
    if change.state in ("warning", "critical"):
        return change.state
    return "silent" if change.suspect and change.state == "passing" else ""


def pass_over(entries: Entries, now: float) -> Entries:
    """Without those that nobody waits for any more."""
    return {
        id: ["gone" if entry[0] == "lost" else entry[0], *entry[1:]]  # as it was called before
        for id, entry in entries.items()
        if not entry[2] or entry[2] > now
    }


def confirm(entries: Entries, reading: Reading) -> Entries:
    """What a gap left open is asked of the service as it is now; who is gone is waited for.

    Of those that were only counted the service itself knows who they are.
    """
    there = {one.id: one for one in reading.instances}
    kept: Entries = {}
    if beyond.is_any(entries):
        for each in reading.instances:
            state = each.state if each.state in ("warning", "critical") else "silent"
            if each.id not in entries and (state != "silent" or each.suspect):
                kept[each.id] = [state, each.since, 0.0, ""]
    for id, entry in entries.items():
        if beyond.is_count(id) and entry[0] != "gone":
            continue
        one = there.get(id)
        if not entry[2] or entry[0] == "gone":
            kept[id] = entry
        elif one is not None and (one.state == entry[0] or one.suspect):
            kept[id] = [entry[0], entry[1], 0.0, entry[3]]
    return kept


def next_end(entries: Entries) -> float | None:
    """When the next one is no longer waited for."""
    return min((entry[2] for entry in entries.values() if entry[2]), default=None)


@dataclass(frozen=True)
class Weight:
    """How a service stands: ``worst`` is "", "warning" or "critical"; ``total`` None if unknown.

    ``missing``: how many that are gone nobody waits for any more since it was told last. ``muted``:
    there are others in trouble, of whom nobody is told until then. ``is_silent``: nobody of it gets
    calls, as all that might are silent; that is critical.
    """

    service: str
    entries: Entries = field(default_factory=dict)
    total: int | None = None
    missing: int = 0
    muted: datetime.datetime | None = None
    is_silent: bool = False

    def _level(self, state: str) -> str:
        return "critical" if state == "silent" and self.is_silent else LEVELS[state]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter[str]()
        for entry in self.entries.values():
            found[entry[0]] += beyond.count(entry)
        return dict(found)

    @property
    def worst(self) -> str:
        found = {self._level(entry[0]) for entry in self.entries.values()}
        return "critical" if "critical" in found else "warning" if found else ""

    @property
    def words(self) -> str:
        """ "12 of 40 critical, 1 gone"; "" when all is well."""
        counts = self.counts
        said = [f"{counts[one]} {one}" for one in ("critical", "gone", "warning", "silent")
                if counts.get(one)]  # fmt: skip
        if said and self.total is not None:
            number, _, word = said[0].partition(" ")
            said[0] = f"{number} of {max(self.total, int(number))} {word}"
        if counts.get("silent"):  # silent alone is nobody: too many stopped at once
            said[-1] = f"self-preservation: {said[-1]}"
        return ", ".join(said)

    def for_severity(self, severity: str) -> Weight:
        """Only what a rule of this severity is told of."""
        if severity == "warning":
            return self
        kept = {i: e for i, e in self.entries.items() if self._level(e[0]) == "critical"}
        return replace(self, entries=kept)


def title(what: str, weight: Weight, span: str = "") -> str:
    """The one line that somebody woken at night reads."""
    name, words = weight.service, weight.words
    return {
        "problem": f"{name}: {words}",
        "worse": f"{name} got worse: {words}",
        "reminder": f"{name} still: {words}, for {span}",
        "recovered": f"{name} recovered after {span}",
        "closed": f"{name}: {weight.missing} gone did not come back within {GONE_FOR / 60:.0f} "
        "min, all others are well",
        "flapping": f"{name} flaps: {words or 'well again'}, and told no more until it is steady",
        "steady": f"{name} is steady: {words or 'all well'}",
    }[what][:300]


def title_of_many(what: str, several: Sequence[Weight]) -> str:
    """One line for services that are told of together: the worst of them by name."""
    names = [one.service for one in worst_of(several)]
    states = {entry[0] for one in several for entry in one.entries.values()}
    many = f"{len(names):,} services"
    begins = {
        "problem": f"{many} in trouble", "reminder": f"{many} still in trouble",
        "recovered": f"{many} are well again",
    }[what]  # fmt: skip
    if states == {"silent"}:
        begins = f"self-preservation: {many} silent"
    others = f", and {len(names) - NAMED:,} others" if len(names) > NAMED else ""
    return f"{begins}: {', '.join(name[:40] for name in names[:NAMED])}{others}"


def body_of_many(several: Sequence[Weight]) -> dict[str, Any]:
    """As the body of a notification of one service, with ``services`` in place of ``service``."""
    worst = max((one.worst for one in several), key=RANKS.__getitem__)
    counts = sum((Counter(one.counts) for one in several), Counter[str]())
    named = [{"service": one.service, "words": one.words} for one in worst_of(several)[:SHOWN]]
    return {
        "severity": worst, "counts": {**counts, "services": len(several)}, "services": named,
        "instances": [], "more": len(several) - len(named),
    }  # fmt: skip


def worst_of(several: Sequence[Weight]) -> list[Weight]:
    """Critical ones first, those with the most in trouble first, then by name."""
    return sorted(
        several, key=lambda one: (-RANKS[one.worst], -sum(one.counts.values()), one.service)
    )


def instances(entries: Entries) -> list[dict[str, str]]:
    """The worst of them, as the body of a notification names them."""
    order = ("critical", "gone", "silent", "warning")
    named = (one for one in entries.items() if not beyond.is_count(one[0]))
    worst = sorted(named, key=lambda one: (order.index(one[1][0]), one[1][1], one[0]))
    return [
        {"id": id, "state": state, "since": iso(since), "why": clean(why)}
        for id, (state, since, _, why) in worst[:SHOWN]
    ]


def iso(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def clean(text: str) -> str:
    """Words out of Redis on one line: whoever may write there chose them."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def lines(body: dict[str, Any]) -> Iterable[str]:
    """The body of a notification as people read it."""
    yield str(body["title"])
    yield f"Server: {body['server']['name']} ({body['server']['environment']})"
    for one in body.get("services", ()):
        yield f"- {one['service']}: {one['words'] or 'well again'}"
    for one in body.get("instances", ()):
        yield f"- {one['id']}: {one['state']} since {one['since']}. {one['why']}".rstrip(". ")
    if body.get("more"):
        yield f"- and {body['more']} more"
    if body.get("url"):
        yield str(body["url"])
