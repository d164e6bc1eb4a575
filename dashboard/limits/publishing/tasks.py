"""What Celery does for published policies: compare SQL with Redis, and mend Redis."""

from __future__ import annotations

from celery import shared_task

from dashboard.limits.publishing.document import LIMITS
from dashboard.publishing import comparing


@shared_task(name="limits.reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> int:
    """Have every server with policies looked at."""
    return comparing.reconcile(LIMITS, compare)


@shared_task(name="limits.compare")  # type: ignore[untyped-decorator]
def compare(pk: int) -> str:
    """Compare one server's Redis with what was decided; publish what differs."""
    return comparing.compare(LIMITS, pk)
