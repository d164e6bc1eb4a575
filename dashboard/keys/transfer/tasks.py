"""What Celery does for files of keys."""

from __future__ import annotations

from celery import shared_task

from dashboard.keys.transfer import keeping


@shared_task(name="keys.remove_archives")  # type: ignore[untyped-decorator]
def remove_archives() -> int:
    """Remove files whose time is over, and files that no row knows; how many."""
    return keeping.remove_old()
