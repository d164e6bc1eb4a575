"""What Celery does for services."""

from dashboard.services.checks.tasks import watch as watch
from dashboard.services.history.tasks import fold_latency as fold_latency
from dashboard.services.history.tasks import tidy_history as tidy_history
from dashboard.services.notices.tasks import deliver as deliver
from dashboard.services.notices.tasks import forget as forget
from dashboard.services.notices.tasks import notify as notify
