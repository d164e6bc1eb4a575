"""What people do to a job that is there: pause, resume, cancel.

A worker that has the job does it between two steps; where none has it, it is done here.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from dashboard.audit import record
from dashboard.jobs import outcomes, starting, telling
from dashboard.jobs.models import Job


class TooLate(Exception):
    """The job is not in a state in which this can be asked; the message says which it is in."""


def pause(request: HttpRequest, pk: int) -> Job:
    """Let it end its step and wait; raises ``TooLate``, ``AuditUnavailable``."""
    return _ask(request, pk, "pause", (Job.State.QUEUED, Job.State.RUNNING))


def cancel(request: HttpRequest, pk: int) -> Job:
    """Let it end its step and stop for good; what is done stays done."""
    return _ask(request, pk, "cancel", Job.UNFINISHED)


def resume(request: HttpRequest, pk: int) -> Job:
    """Go on where it was paused or has failed; raises ``TooLate``, ``Busy``."""
    with transaction.atomic():
        job = _locked(pk)
        if job.wanted == "pause" and job.is_held():
            job.wanted = ""  # nobody has paused it yet
        elif job.state in (Job.State.PAUSED, Job.State.FAILED):
            if job.state == Job.State.FAILED:
                starting.make_room_for(job)
            job.state, job.wanted = Job.State.QUEUED, ""
        else:
            raise TooLate(f"{job.title} is {job.get_state_display().lower()}")
        _asked(request, job, "resume")
        job.note(f"Resumed by {request.user.get_username()}")
        fields = {"due": None, "ended": None, "error": "", "sent_at": None, "waits": "", "tries": 0}
        Job.objects.filter(pk=pk).update(state=job.state, wanted="", **fields)
        transaction.on_commit(lambda: telling.worker(pk))
    return Job.objects.select_related("server").get(pk=pk)


def _ask(request: HttpRequest, pk: int, wanted: str, states: tuple[Job.State, ...]) -> Job:
    who, now = request.user.get_username(), timezone.now()
    with transaction.atomic():
        job = _locked(pk)
        if job.state not in states or job.wanted == "cancel":
            raise TooLate(f"{job.title} is {job.get_state_display().lower()}")
        _asked(request, job, wanted)
        job.wanted, job.wanted_by, job.wanted_at = wanted, who[:150], now
        values = {"wanted": wanted, "wanted_by": job.wanted_by, "wanted_at": now}
        # With a piece cut off, a worker looks first what became of it.
        if not job.is_held() and (job.intent is None or wanted == "pause"):
            values |= {"state": "paused", "waits": ""} if wanted == "pause" else {
                "state": "cancelled", "ended": now, "waits": "",
            }  # fmt: skip
            values["lease_until"] = None
            if wanted == "pause":
                job.note(f"Paused by {who}")
            else:
                outcomes.conclude_cancelled(job)
            # Whoever claimed it in this very moment finds that it is not theirs.
            Job.objects.filter(pk=pk).update(fence=F("fence") + 1, **values)
        else:
            if job.state == Job.State.PAUSED:
                values |= {"state": Job.State.RUNNING}
            Job.objects.filter(pk=pk).update(due=None, **values)
            transaction.on_commit(lambda: telling.worker(pk))
    job.refresh_from_db()
    telling.Pages(pk).moved(job.counted, job.state, at_once=True)
    return job


def _locked(pk: int) -> Job:
    return Job.objects.select_for_update(of=("self",)).select_related("server").get(pk=pk)


def _asked(request: HttpRequest, job: Job, what: str) -> None:
    after = {"job": job.pk, "done": job.done, "of": job.total}
    record(request, f"jobs.{what}", server=job.server.slug, target=job.title, after=after)
