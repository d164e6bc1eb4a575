"""What Celery does for the area."""

from dashboard.caching.namespaces.tasks import compare as compare
from dashboard.caching.namespaces.tasks import reconcile as reconcile
