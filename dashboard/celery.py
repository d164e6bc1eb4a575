"""The Celery application: ``celery -A dashboard worker`` and ``celery -A dashboard beat``."""

import os

from celery import Celery

from dashboard.accounts.schedule import SCHEDULE as ACCOUNTS
from dashboard.caching.schedule import SCHEDULE as CACHING
from dashboard.jobs.schedule import SCHEDULE as JOBS
from dashboard.keys.bulk.schedule import SCHEDULE as KEY_LISTS
from dashboard.keys.survey.schedule import SCHEDULE as KEYS
from dashboard.keys.transfer.schedule import SCHEDULE as ARCHIVES
from dashboard.leaderboards.schedule import SCHEDULE as LEADERBOARDS
from dashboard.limits.schedule import SCHEDULE as LIMITS
from dashboard.servers.sampling.schedule import SCHEDULE as SERVERS
from dashboard.services.schedule import SCHEDULE as SERVICES
from dashboard.sessions.schedule import SCHEDULE as SESSIONS
from dashboard.undo.schedule import SCHEDULE as UNDO

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

app = Celery("redisops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    **SERVERS,
    **ACCOUNTS,
    **JOBS,
    **UNDO,
    **KEYS,
    **KEY_LISTS,
    **ARCHIVES,
    **LIMITS,
    **LEADERBOARDS,
    **SERVICES,
    **CACHING,
    **SESSIONS,
}
app.autodiscover_tasks()
