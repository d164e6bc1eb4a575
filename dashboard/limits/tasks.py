"""What Celery does for rate limits."""

from dashboard.limits.publishing.tasks import compare as compare
from dashboard.limits.publishing.tasks import reconcile as reconcile
