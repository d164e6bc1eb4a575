"""The words of the wall: the verdict, the banners, the line below an instance."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.services import words
from dashboard.services.wall.judging import KINDS, Judged, has_died
from dashboard.ui import numbers
from redisops.services.model import Event, Instance
from redisops.services.overview import Look, Seen
from redisops.services.results import Result

UNWATCHED = 10.0
"""Seconds without a sweeper's look that are worth saying."""


@dataclass(frozen=True)
class Banner:
    """One strip above the wall: how bad, what, and what it means."""

    level: str
    icon: str
    title: str
    words: str
    more: str = ""


@dataclass(frozen=True)
class Change:
    """One thing that happened, as a line of the page."""

    at: str
    mark: str
    service: str
    id: str
    words: str
    why: str


def many(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def clock(at: float) -> str:
    """As the console writes times: to the second today, the day before that."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return numbers.clock(moment, datetime.datetime.now(datetime.UTC))


def verdict(look: Look, everyone: Sequence[Judged]) -> list[tuple[str, str]]:
    """What is so now, the worst first: pairs of a level and words, to be set in one line."""
    if not everyone:
        return [("", "Which services there are may not be read" if look.trouble
                 else "Nobody is registered")]  # fmt: skip
    counts: dict[str, int] = {}
    for one in everyone:
        for kind, n in one.counts.items():
            counts[kind] = counts.get(kind, 0) + n
    total = sum(one.total for one in everyone)
    dead = sum(one.died is not None for one in everyone)
    parts = [("", f"{many(len(everyone), 'service')}, {many(total, 'instance')}")]
    if dead:
        parts.append(("bad", f"nobody is up of {many(dead, 'service')}"))
    for kind in sorted(counts, key=lambda kind: KINDS[kind][0]):
        level = KINDS[kind][1]
        parts.append(("" if level == "ok" else level, f"{counts[kind]:,} {KINDS[kind][3]}"))
    return parts


def banners(look: Look, everyone: Sequence[Judged]) -> list[Banner]:
    """What is to be known before the wall is believed."""
    found = [*_watcher(look, everyone), *_preserved(look, everyone)]
    until = max((one.seen.holding for one in everyone), default=0.0)
    if until > look.now:
        found.append(Banner(
            "", "clock", f"Nobody is judged until {clock(until)}.",
            "Nobody had looked for a while, so every instance has one lease to beat in.",
        ))  # fmt: skip
    refused = next((one.seen for one in everyone if one.seen.trouble), None)
    trouble = look.trouble or (f"{refused.name}, {refused.trouble}" if refused else "")
    if trouble:
        found.append(Banner(
            "warn", "lock", "Not everything may be read here.", trouble,
            "The server's user needs the right to read svc:* with MGET, ZRANGE, HMGET, HSCAN, "
            "XREVRANGE and SSCAN. If a key holds another type, somebody else wrote it.",
        ))  # fmt: skip
    lost = sum(one.seen.reading.malformed for one in everyone)
    if lost:
        where = next(one.seen.name for one in everyone if one.seen.reading.malformed)
        found.append(Banner(
            "warn", "triangle-alert", f"{many(lost, 'record')} cannot be read.",
            f"The first is in {where}. Whoever may write there can write anything; "
            "a sweeper removes such records by itself.",
        ))  # fmt: skip
    if look.more:
        found.append(Banner(
            "warn", "info", "Not everybody is shown.",
            "The wall reads 10,000 services and 20,000 instances at most, and here are more.",
        ))  # fmt: skip
    return found


def _preserved(look: Look, everyone: Sequence[Judged]) -> Iterable[Banner]:
    silent = sum(one.silent[0] for one in everyone)
    if not silent:
        return
    total = sum(len(one.kinds) for one in everyone)
    first = min(one.silent[1] for one in everyone)
    since = f" since {clock(first / 1000)}" if first < math.inf else ""
    where = " in all services" if any(one.seen.keeping > look.now for one in everyone) else ""
    yield Banner(
        "warn", "shield-half", f"Self-preservation is on{where}{since}.",
        f"{silent:,} of {many(total, 'instance')} stopped beating at about the same time; "
        "that looks like the network, not like so many deaths.",
        "They stay listed, get no traffic, and count again with their next beat. "
        "A check that fails removes them sooner.",
    )  # fmt: skip


def _watcher(look: Look, everyone: Sequence[Judged]) -> Iterable[Banner]:
    watched = [one for one in everyone if one.seen.ends]
    if not watched:
        return
    newest = max((one.seen for one in watched), key=lambda seen: seen.swept - seen.at)
    oldest = min(look.now, *(one.since for one in watched))
    ago = newest.at - newest.swept
    if (newest.swept and ago < UNWATCHED) or look.now - oldest < UNWATCHED:
        return
    title = f"No watcher since {clock(newest.swept)}." if newest.swept else "No watcher has looked."
    yield Banner(
        "bad", "eye-off", title,
        "Nobody removes an instance whose lease is over, and no check is made: who is shown as up "
        "may be gone.",
        "Start the console's services worker (make run does), or a Sweeper of the library.",
    )  # fmt: skip


def change(event: Event, events: Sequence[Event] = ()) -> Change:
    """An event as a line; ``events`` are those of its service, newest first."""
    state = "left" if event.state == "gone" and not has_died(event) else event.state
    mark = words.MARKS["silent" if event.suspect else state]
    told = words.IS[state]
    if event.suspect:
        told = "is silent, and kept"
    elif event.origin == "none":
        gone = _gone_before(event, events)
        told = f"{'arrived' if gone is None else f'is back after {gone}'} and {told}"
    elif event.origin == event.state:
        told = "changed"
    elif (event.origin, event.state) == ("critical", "passing"):
        told = "is passing again"
    return Change(clock(event.at), mark, event.service, event.id, told, event.why[:160])


def _gone_before(event: Event, events: Sequence[Event]) -> str | None:
    """For how long one that arrived was gone, if that is how it went."""
    before = next(
        (one for one in events if one.id == event.id and one.version < event.version), None
    )
    if before is None or not has_died(before) or before.at > event.at:
        return None
    return numbers.duration(event.at - before.at)


def common(one: Judged) -> dict[str, str]:
    """What all instances of a card share, so that it is said once."""
    shared = {}
    for name in ("version", "zone"):
        values = {getattr(instance, name) for instance, _ in one.kinds}
        if len(values) == 1:
            shared[name] = values.pop()
    return shared


def own(instance: Instance, shared: dict[str, str]) -> str:
    """Version and zone where they are not those of all."""
    parts = [] if "version" in shared else [_version(instance.version)]
    parts += [] if "zone" in shared else [instance.zone]
    return " ".join(part[:40] for part in parts if part)


def foot(one: Judged, shared: dict[str, str]) -> str:
    """The last line of a card: whose it is, how often it beats, version and zone."""
    instances = [instance for instance, _ in one.kinds]
    teams = {i.metadata.get("team", "") for i in instances}
    team = teams.pop() if len(teams) == 1 else ""
    beats = sorted({round(i.ttl / 3, 1) for i in instances})
    parts = [f"Team {team[:60]}" if team else ""]
    if beats:
        longest = f" to {beats[-1]:g}" if len(beats) > 1 else ""
        parts.append(f"beat every {beats[0]:g}{longest} s")
    parts.append(_version(shared.get("version", ""))[:40])
    zone = shared.get("zone", "")[:40]
    parts.append(f"zone {zone}" if zone else "")
    text = ", ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def _version(version: str) -> str:
    return f"v{version}" if version[:1].isdecimal() else version


def rest(pairs: Sequence[tuple[Instance, str]]) -> str:
    """Who is not shown of a card: "8 more: 7 up, 1 draining"."""
    if not pairs:
        return ""
    counts: dict[str, int] = {}
    for _, kind in pairs:
        counts[kind] = counts.get(kind, 0) + 1
    told = ", ".join(f"{n:,} {KINDS[kind][3]}" for kind, n in counts.items())
    return f"{len(pairs):,} more: {told}"


def state(kind: str, one: Instance) -> str:
    """The state in a word, for those who do not see its shape."""
    return f"Flapping, now {one.state}" if kind == "flapping" else words.told(kind)


def note(seen: Seen, one: Instance, kind: str) -> str:
    """The line below an instance that is not simply up."""
    why = next((e.why for e in seen.events if e.id == one.id and e.state == one.state), "")
    result = seen.results.get(one.id)
    since = f"since {clock(one.since)}" if one.since else ""
    end = seen.ends.get(one.id)
    if kind == "silent":
        last = f"Last beat {clock(end / 1000 - one.ttl)}. " if end else ""
        return f"{last}Kept by self-preservation, without traffic."
    if kind == "critical":
        reason = result.why if result is not None and result.is_bad and result.why else why
        turning = " It went up and down several times." if one.id in seen.flapping else ""
        return _sentence(f"Critical {since}", reason) + turning
    if kind == "late" and end:
        return f"Out of rotation at {clock(end / 1000)} unless a beat comes."
    if kind == "flapping":
        return (
            f"Went up and down several times, {one.state} {since}. "
            "It gets calls while it is passing; after a fall it must stay well for longer."
        )
    if kind == "warning":
        reason = result.why if result is not None and result.why else why
        return _sentence(f"Warning {since}", reason)
    if kind in ("draining", "maintenance", "starting"):
        until = seen.kept.get(one.id)
        if kind == "maintenance":
            since += f", until {clock(until / 1000)}" if until else ", until somebody resumes it"
        return _sentence(f"{words.told(kind)} {since}", "" if why in (kind, "registered") else why)
    return ""


def farewell(seen: Seen, event: Event, word: str) -> str:
    """The line below somebody who is gone: when, why, and what its check had found."""
    why = event.why[:120]
    if event.why == "its check fails":
        found = next((e.why for e in seen.events if e.id == event.id and e.state == "critical"), "")
        why += f" ({found[:120]})" if found else ""
        why += ", nobody listens there any more" if "refused" in found else ""
    return f"{word} at {clock(event.at)}: {why}."


def _sentence(told: str, reason: str) -> str:
    reason = reason.strip().rstrip(".")[:160]
    return f"{told.strip()}: {reason}." if reason else f"{told.strip()}."


def checked(result: Result | None) -> str:
    """How long the last check took; why a bad one was bad is in the line below."""
    if result is None or result.is_bad or result.ms is None:
        return ""
    return f"{result.ms:.0f} ms" if result.ms >= 10 else f"{result.ms:.1f} ms"
