"""Drive jobs in a test's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.jobs import engine
from dashboard.jobs.outcomes import Left

if TYPE_CHECKING:
    from dashboard.jobs.models import Job


def run(job: Job, *, steps: int | None = None) -> Job:
    """Do the job to its end, or ``steps`` steps of it; returns the row read anew.

    The pace's waits are not slept. An error that fails the job is raised. A job that waits for
    its server, or that was paused, is returned as it is.
    """
    while engine.run(job.pk, sleep=lambda seconds: None, steps=steps, raises=True) == Left.YIELDED:
        pass
    return type(job).objects.select_related("server").get(pk=job.pk)
