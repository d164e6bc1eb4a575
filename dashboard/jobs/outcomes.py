"""How a job begins, waits and ends: the words, the row and the audit, in one transaction each."""

from __future__ import annotations

import datetime
import random
from copy import copy
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from dashboard.audit import record
from dashboard.jobs import leases
from dashboard.jobs.models import Job
from redisops.resilience import Cause, diagnose

if TYPE_CHECKING:
    from dashboard.jobs.work import Work

LONGEST_WAIT = 15.0  # seconds between two tries while a server is in trouble
# What goes away by itself or by somebody's repair. A refusal (NOPERM, WRONGTYPE) is told instead.
PASSING = frozenset({
    Cause.UNREACHABLE, Cause.TIMEOUT, Cause.LOADING, Cause.BUSY, Cause.MISCONF, Cause.OOM,
    Cause.READONLY, Cause.MASTERDOWN, Cause.AUTH, Cause.MAXCLIENTS, Cause.CLUSTERDOWN,
    Cause.MOVED, Cause.UNKNOWN_RESULT, Cause.TLS, Cause.DNS, Cause.OPEN_CIRCUIT, Cause.DEADLINE,
})  # fmt: skip


class Left(Enum):
    """How a turn left its job."""

    NOTHING = "another has it, or there is nothing to do"
    ENDED = "done, failed or cancelled"
    PAUSED = "paused by a person"
    WAITING = "for the server, the switch or another worker"
    YIELDED = "its turn is over, and others wait"


def is_passing(error: BaseException) -> bool:
    """Whether the job may wait for this to be over."""
    return diagnose(error).cause in PASSING


def words_of(error: BaseException) -> str:
    """What ended the job, for people: the sentence, and the system's own words."""
    trouble = diagnose(error)
    if trouble.cause is Cause.OTHER:
        return f"{type(error).__name__}: {error}"
    return f"{trouble.sentence} {trouble.detail}".strip()


def begun(job: Job) -> None:
    """The job runs here now."""
    now = timezone.now()
    values: dict[str, Any] = {"state": Job.State.RUNNING, "due": None}
    with transaction.atomic():
        if job.started is None:
            values["started"] = now
            job.note("Started")
        elif job.was_cut_off:
            job.note("Its worker had ended without a word; another one goes on from the last step")
        leases.write(job, **values)
    for name, value in values.items():
        setattr(job, name, value)


def back(job: Job, work: Work) -> dict[str, Any]:
    """The columns after a step that went well when the ones before did not."""
    if not job.waits:
        return {}
    work.lines.append("Goes on")
    return {"waits": "", "tries": 0}


def wish(job: Job) -> str:
    """What people want of it: "", "pause" or "cancel"; takes over a limit that was changed."""
    found = Job.objects.filter(pk=job.pk, fence=job.fence).values("wanted", "wanted_by", "limit")
    row = found.first()
    if row is None:
        raise leases.LeaseLost(f"job {job.pk} is not ours any more")
    job.wanted, job.wanted_by, job.limit = row["wanted"], row["wanted_by"], row["limit"]
    return job.wanted


def others_wait() -> bool:
    """Whether a job waits for a worker just now."""
    now = timezone.now()
    return Job.objects.filter(
        state__in=Job.ACTIVE, lease_until=None, server__stopped_at=None
    ).exclude(due__gt=now).exists()  # fmt: skip


def released(job: Job, spent: dict[str, Any]) -> Left:
    """Given back between two steps: the next worker goes on."""
    leases.release(job, **spent)
    return Left.WAITING


def waiting(job: Job, why: str, *, again_in: float, **values: Any) -> Left:
    """Given back, not to be looked at for some seconds; the first time is in the log."""
    due = timezone.now() + datetime.timedelta(seconds=again_in)
    with transaction.atomic():
        leases.release(job, waits=why[:500], due=due, **values)
        if not job.waits:
            job.note(why)
    job.waits = why[:500]
    return Left.WAITING


def trouble(job: Job, error: BaseException, spent: dict[str, Any]) -> Left:
    """Wait for a server that is in trouble, longer each time."""
    found = diagnose(error)
    job.tries += 1
    longest = min(LONGEST_WAIT, 0.5 * 2 ** min(job.tries, 10))
    seconds = random.uniform(longest / 2, longest)  # noqa: S311 - spreads tries, keeps no secret
    why = f"Waiting for {job.server.name}: {found.sentence}"
    return waiting(job, why, again_in=seconds, tries=job.tries, **spent)


def obeyed(job: Job, wanted: str, spent: dict[str, Any]) -> Left:
    """Paused or cancelled, by whom the row says."""
    now = timezone.now()
    who = job.wanted_by or "somebody"
    if wanted == "pause":
        with transaction.atomic():
            leases.release(job, state=Job.State.PAUSED, waits="", **spent)
            job.note(f"Paused by {who}")
        job.state = Job.State.PAUSED
        return Left.PAUSED
    with transaction.atomic():
        leases.release(job, state=Job.State.CANCELLED, ended=now, waits="", **spent)
        conclude_cancelled(job)
    job.state, job.ended = Job.State.CANCELLED, now
    return Left.ENDED


def conclude_cancelled(job: Job) -> None:
    """The log's last line and the audit's outcome of a cancelled job; in a transaction."""
    who = job.wanted_by or "somebody"
    text = f"Cancelled by {who} after {in_words(job)}"
    if job.intent is not None:
        text += ". What became of the piece under way is not known"
    job.note(text)
    conclude(job, "unknown" if job.intent is not None else "ok", text)


def failed(job: Job, why: str, spent: dict[str, Any] | None = None) -> Left:
    """Ended by an error; what was done stays done, and it may be resumed."""
    now = timezone.now()
    with transaction.atomic():
        leases.release(
            job, state=Job.State.FAILED, ended=now, error=why[:2000], waits="", **(spent or {})
        )
        job.note(f"Failed after {in_words(job)}: {why}")
        conclude(job, "failed", why)
    job.state, job.ended = Job.State.FAILED, now
    return Left.ENDED


def done(job: Job, values: dict[str, Any]) -> dict[str, Any]:
    """The columns of a job that is done, with the last line and the outcome written.

    ``job`` stays as it was: when SQL fails now, the same step is written once more.
    """
    ended = copy(job)
    for name in ("done", "failed", "skipped", "total"):
        setattr(ended, name, values[name])
    job.note(f"Done: {in_words(ended)}")
    conclude(ended, "ok", "")
    now = timezone.now()
    return {"state": Job.State.DONE, "ended": now, "lease_until": None, "waits": "", "error": ""}


def conclude(job: Job, result: str, why: str) -> None:
    """The audit's outcome of what ``start`` intended; in the transaction that ends the job."""
    record(
        job.by_name, job.kind, server=job.server.slug, target=bytes(job.scope) or job.title,
        after={
            "job": job.title, "done": job.done, "failed": job.failed, "skipped": job.skipped,
            "of": job.total,
        },
        result=result, reason=why, intent=job.intent_entry,
    )  # fmt: skip


def in_words(job: Job) -> str:
    """ "24,800 of 41,206 keys deleted, 118 already gone, 2 failed"."""
    try:
        kind = job.work
        unit, word, skipped = kind.unit, kind.done_word, kind.skipped_word
    except LookupError:
        unit, word, skipped = "unit", "done", "left out"
    of = f" of {job.total:,}" if job.total is not None and job.total != job.done else ""
    count = job.total if of else job.done
    parts = [f"{job.done:,}{of} {unit}{'' if count == 1 else 's'} {word}"]
    if job.skipped:
        parts.append(f"{job.skipped:,} {skipped}")
    if job.failed:
        parts.append(f"{job.failed:,} failed")
    return ", ".join(parts)
