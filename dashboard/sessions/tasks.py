"""What Celery does for the area."""

from celery import shared_task

from dashboard.sessions.listing import figures


@shared_task(name="sessions.count", ignore_result=True)  # type: ignore[untyped-decorator]
def count() -> int:
    """Look on at the sessions of servers that people follow; how many walks ended."""
    return figures.count()
