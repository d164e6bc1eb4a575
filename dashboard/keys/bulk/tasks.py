"""What Celery does for lists of keys."""

from __future__ import annotations

from celery import shared_task

from dashboard.keys.bulk.models import KeyList


@shared_task(name="keys.forget_lists")  # type: ignore[untyped-decorator]
def forget_lists() -> int:
    """Delete lists that nobody used for an hour; returns how many rows went."""
    return KeyList.forget_unused()
