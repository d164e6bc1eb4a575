"""What Celery does for servers: look at all of them every two seconds, and keep it bounded.

Every task may run twice, late or not at all without harm: a slot is claimed once, a folded row
has its time as its id, and a task that waited longer than its slot has expired.
"""

from __future__ import annotations

import time

import redis
import structlog
from celery import shared_task

from dashboard.servers.models import Server
from dashboard.servers.sampling import sampler, samples
from redisops.errors import RedisopsError
from redisops.resilience import diagnose

log = structlog.get_logger(__name__)


def watched() -> list[Server]:
    """The servers that people want watched, that are still declared and not stopped."""
    return list(Server.objects.filter(watched=True, withdrawn=None, stopped_at=None))


@shared_task(name="servers.sample")  # type: ignore[untyped-decorator]
def sample() -> int:
    """Look at every watched server, once per slot whoever asks; returns how many."""
    slot = samples.slot()
    try:
        if not samples.series().claim(slot, seconds=30):
            return 0
        found = sampler.sample(watched(), slot)
        samples.beat()
        return len(found)
    except (redis.RedisError, RedisopsError) as error:
        # Home is away: there is nowhere to keep a sample, and the next slot tries again.
        log.warning("no sample kept", slot=slot, cause=str(diagnose(error).cause), error=str(error))
        return 0


@shared_task(name="servers.fold")  # type: ignore[untyped-decorator]
def fold() -> int:
    """Make the minutes and the ten minutes that are due; returns how many rows."""
    try:
        return samples.series().fold([samples.name(one) for one in watched()], time.time())
    except (redis.RedisError, RedisopsError) as error:
        log.warning("nothing folded", cause=str(diagnose(error).cause), error=str(error))
        return 0
