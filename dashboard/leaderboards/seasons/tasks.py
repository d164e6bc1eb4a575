"""What Celery does for leaderboards."""

from celery import shared_task

from dashboard.leaderboards.seasons import looking


@shared_task(name="leaderboards.look", ignore_result=True)  # type: ignore[untyped-decorator]
def look() -> int:
    """Keep the top of declared boards, end seasons that are due."""
    return looking.look()
