"""What Celery does for keys."""

from __future__ import annotations

from celery import shared_task

from dashboard.keys.bulk.tasks import forget_lists as forget_lists
from dashboard.keys.survey import passes
from dashboard.keys.transfer.tasks import remove_archives as remove_archives


@shared_task(name="keys.count_due")  # type: ignore[untyped-decorator]
def count_due() -> int:
    """Count the keys of servers whose figures are old. Run twice, the second finds them busy."""
    return passes.begin_due()
