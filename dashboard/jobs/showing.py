"""What the pages of jobs show, as values for their templates."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from redis.exceptions import RedisError

from dashboard.jobs import outcomes, plotting
from dashboard.jobs.kinds import Kind
from dashboard.jobs.models import FAILURES_KEPT, Job
from dashboard.servers.listing import last_looks
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.errors import RedisopsError

PARTS = ("verdict", "progress", "panel", "effect", "data", "results", "log", "cost")
LINES, FAILURES = 100, 50
TONES = {Job.State.RUNNING: "run", Job.State.FAILED: "warn", Job.State.PAUSED: "warn"}
SHAPES = {
    Job.State.QUEUED: "changing", Job.State.RUNNING: "changing", Job.State.PAUSED: "off",
    Job.State.DONE: "ok", Job.State.FAILED: "bad", Job.State.CANCELLED: "off",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One job in the list."""

    job: Job
    shape: str
    word: str
    share: float | None
    result: str


@dataclass(frozen=True)
class Figure:
    """One number of what it does to the server."""

    label: str
    value: str
    unit: str
    sense: str
    shape: str = ""


def row(job: Job) -> Row:
    return Row(job, SHAPES[Job.State(job.state)], word_of(job), job.share, outcomes.in_words(job))


def word_of(job: Job) -> str:
    """How it stands, in a word or three."""
    if job.state in Job.ACTIVE and job.server.is_stopped:
        return "Stopped with all work"
    if job.is_unfinished and job.wanted:
        return "Pausing" if job.wanted == "pause" and job.state != Job.State.PAUSED else (
            "Cancelling" if job.wanted == "cancel" else "Paused"
        )  # fmt: skip
    if job.state == Job.State.RUNNING and job.waits:
        return "Waiting"
    if job.state == Job.State.DONE and job.failed:
        return "Done, some failed"
    return str(Job.State(job.state).label)


def sentence_of_all(server: Server, unfinished: list[Job], ended: int) -> str:
    """The verdict of the list."""
    if server.is_stopped:
        return f"All console work on {server.name} is stopped, and these jobs with it."
    if not unfinished:
        return f"Nothing is under way. {ended:,} ended." if ended else "Nothing is under way."
    active = sum(job.state in Job.ACTIVE for job in unfinished)
    paused = len(unfinished) - active
    words = [f"{active} under way"] if active else []
    words += [f"{paused} paused"] if paused else []
    return ", ".join(words) + "."


def permission_of(job: Job) -> str:
    """What the kind asks for; a kind that this version does not know asks for the usual."""
    kind = kind_or_none(job)
    return kind.permission if kind is not None else "jobs.control"


def kind_or_none(job: Job) -> Kind | None:
    try:
        return job.work
    except LookupError:
        return None


def asked_to_cancel(job: Job) -> dict[str, Any]:
    """What the page that asks before it cancels says."""
    kind = kind_or_none(job)
    undo = "What it removed can be restored." if kind is not None and kind.undo else ""
    done = outcomes.in_words(job)
    return {"sentence": f"{done[:1].upper()}{done[1:]} so far. That stays as it is.", "undo": undo}


def context(job: Job) -> dict[str, Any]:
    """Everything of the page but what depends on who looks."""
    kind = kind_or_none(job)
    unit, word = (kind.unit, kind.done_word) if kind is not None else ("unit", "done")
    moves = job.state == Job.State.RUNNING and not (job.waits or job.server.is_stopped)
    rate = plotting.rate_now(job) if moves else None
    left = _left(job, rate)
    kept = list(job.failures.all()[:FAILURES])
    drawing = plotting.drawing(job, f"{unit.capitalize()}")
    return {
        "job": job,
        "server": job.server,
        "kind": kind,
        "unit": unit,
        "done_word": word,
        "skipped_word": kind.skipped_word if kind is not None else "left out",
        "bytes_word": kind.bytes_word if kind is not None else "",
        "word": word_of(job),
        "tone": TONES.get(Job.State(job.state), ""),
        "shape": SHAPES[Job.State(job.state)],
        "percent": None if job.share is None else f"{int(job.share * 100)}%",
        "bar_kind": "lg ok"
        if job.state == Job.State.DONE
        else "lg"
        if job.is_unfinished
        else "lg off",
        "rate": rate,
        "left": left,
        "lasted": _lasted(job),
        "worked": job.active_seconds,
        "lines": list(job.lines.all()[:LINES]),
        "failures": kept,
        "failures_kept": min(sum(job.reasons.values()), FAILURES_KEPT),
        "reasons": sorted(job.reasons.items(), key=lambda one: -one[1]),
        "nodes": sorted(job.nodes.items()),
        "figures": figures(job),
        "drawing": drawing,
        "data": plotting.as_json(job),
        "rules": rules(job, kind),
        "panel": kind.panel(job) if kind is not None and kind.template else {},
        "result_url": kind.result_url(job) if kind is not None and not job.is_unfinished else "",
    }


def parts(job: Job) -> dict[str, str]:
    """The parts of the page that a step changes; nothing in them depends on who looks."""
    values = context(job)
    found = {name: render_to_string(f"jobs/_{name}.html", values).strip() for name in PARTS}
    # The page opens anew when its buttons would be others.
    return found | {"state": f"{job.state} {job.wanted}".strip()}


def rules(job: Job, kind: Kind | None) -> list[tuple[str, str]]:
    """By what it goes: the kind's own rules, and the pace, which is the same for all kinds."""
    server = job.server
    own = kind.notes(job) if kind is not None else []
    limit = f"at most {numbers.exact(round(job.limit))} commands/s" if job.limit else ""
    ceiling = f"{server.load_share:g}% of the server's time" if server.load_share < 100 else ""
    total = f"{server.load_commands:,} commands/s" if server.load_commands else ""
    both = ", ".join(one for one in (limit, ceiling, total) if one) or "no ceiling"
    return [
        *own,
        ("Pace", both),
        ("Slows when", "the server answers twice as slowly as it usually does"),
        ("Waits when", "the server does not answer, fails over or refuses writes"),
    ]


def figures(job: Job) -> list[Figure]:
    """What it does to the server: from its own PINGs, and from the sampler."""
    return [_latency(job), _share(job), *_sampled(job)]


def _latency(job: Job) -> Figure:
    now, before = job.latency.get("p99"), job.latency.get("before")
    if now is None:
        return Figure("p99 of PING", numbers.UNKNOWN, "", "measured while it runs")
    value, _, unit = numbers.duration(now / 1000).partition(" ")
    if before is None:
        return Figure("p99 of PING", value, unit, "network included")
    well = now <= before * 1.5 + 0.5
    was = "as before" if abs(now - before) < 0.05 else f"was {numbers.duration(before / 1000)}"
    return Figure("p99 of PING", value, unit, was, "ok" if well else "warn")


def _share(job: Job) -> Figure:
    label = "Share of its time, at most"
    if not job.active_seconds:
        return Figure(label, numbers.UNKNOWN, "", "nothing was sent yet")
    # What the pace charged it for; before the first second is over, what was waited for.
    used = job.latency.get("used", job.seconds)
    share = min(used / job.active_seconds, 1.0)
    commands = numbers.count(job.commands / job.active_seconds)
    return Figure(label, f"{share:.0%}" if share >= 0.01 else "under 1%", "",
                  f"{commands} calls/s")  # fmt: skip


def _sampled(job: Job) -> list[Figure]:
    try:
        snapshot = last_looks([job.server]).get(job.server.pk)
    except (RedisError, RedisopsError):
        snapshot = None
    if snapshot is None or not snapshot.is_fresh():
        why = "its figures are not sampled now"
        return [Figure("Commands/s", numbers.UNKNOWN, "", why),
                Figure("Memory", numbers.UNKNOWN, "", why)]  # fmt: skip
    value, _, unit = numbers.size(snapshot.figures.get("memory")).partition(" ")
    return [
        Figure("Commands/s", numbers.count(snapshot.figures.get("commands")), "",
               "of everybody, this job with them"),
        Figure("Memory", value, unit, "now"),
    ]  # fmt: skip


def _left(job: Job, rate: float | None) -> float | None:
    """Seconds left, if it goes on as in the last ten."""
    if not rate or not job.total:
        return None
    return max(job.total - job.counted, 0) / rate


def _lasted(job: Job) -> datetime.timedelta | None:
    if job.started is None:
        return None
    return (job.ended or timezone.now()) - job.started
