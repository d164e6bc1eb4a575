"""What Celery does for history: forget what is old, fold the plots."""

from __future__ import annotations

import time

import redis
import structlog
from celery import shared_task

from dashboard.servers.models import Server
from dashboard.services.history import keeping, latency
from redisops.errors import RedisopsError
from redisops.resilience import diagnose

log = structlog.get_logger(__name__)


@shared_task(name="services.tidy_history")  # type: ignore[untyped-decorator]
def tidy_history() -> int:
    """Delete changes that are too old; safe to run twice, and to be ended at any time."""
    return keeping.tidy()


@shared_task(name="services.fold_latency")  # type: ignore[untyped-decorator]
def fold_latency() -> int:
    """Make the minutes and ten minutes of the plots that are due; returns how many rows."""
    names = [
        latency.name_of(server, service)
        for server in Server.objects.filter(withdrawn=None)
        for service in latency.plotted(server)
    ]
    try:
        return latency.series().fold(names, time.time())
    except (redis.RedisError, RedisopsError) as error:
        log.warning("no latency folded", cause=str(diagnose(error).cause), error=str(error))
        return 0
