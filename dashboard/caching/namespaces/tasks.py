"""What Celery does for published cache policies: compare SQL with Redis, and mend Redis."""

from __future__ import annotations

from celery import shared_task

from dashboard.caching.namespaces.publishing import CACHES
from dashboard.publishing import comparing


@shared_task(name="caching.reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> int:
    """Have every server with cache policies looked at."""
    return comparing.reconcile(CACHES, compare)


@shared_task(name="caching.compare")  # type: ignore[untyped-decorator]
def compare(pk: int) -> str:
    """Compare one server's Redis with what was decided; publish what differs."""
    return comparing.compare(CACHES, pk)
