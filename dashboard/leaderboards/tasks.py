"""What Celery does for leaderboards."""

from dashboard.leaderboards.seasons.tasks import look as look
