"""Tell a worker that there is work, and pages that something moved. Both may be lost unharmed:
beat finds jobs that nobody was told of, and a page asks by itself where no socket tells it.
"""

from __future__ import annotations

import time

import structlog
from celery import current_app
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

from dashboard.jobs.models import Job
from dashboard.servers.models import HOME, Server
from redisops.errors import RedisopsError

log = structlog.get_logger(__name__)

QUEUE = "jobs"
STREAM_LENGTH = 50
STREAM_SECONDS = 3600
EVERY = 0.2
"""Seconds between two words to the pages."""


def worker(pk: int) -> bool:
    """Put the job into the workers' queue; False when that could not be done just now."""
    from dashboard.jobs.tasks import run

    try:
        run.apply_async((pk,), queue=QUEUE, expires=60, retry=False)
    except (KombuError, OperationalError, RedisError, OSError) as error:
        log.warning("no worker was told of a job; beat tries again", job=pk, error=str(error))
        return False
    Job.objects.filter(pk=pk).update(sent_at=timezone.now())
    return True


def waiting() -> int | None:
    """How many messages wait in the workers' queue; None when the broker does not say."""
    try:
        with current_app.connection_or_acquire() as connection:
            declared = connection.default_channel.queue_declare(queue=QUEUE, durable=True)
    except (KombuError, OperationalError, RedisError, OSError) as error:
        log.warning("the jobs' queue could not be looked at", error=str(error))
        return None
    count: int = declared.message_count
    return count


def stream(pk: int) -> bytes:
    """The name of the stream on home that says when a job moved."""
    return f"{settings.HOME_PREFIX}jobs:{pk}".encode()


class Pages:
    """Says that one job moved, at most five times a second; the last word always goes out."""

    def __init__(self, pk: int) -> None:
        self.pk = pk
        self._said = 0.0

    def moved(self, counted: int, state: str, *, at_once: bool = False) -> None:
        """Add an entry to the job's stream, unless one was added just now. One round trip."""
        now = time.monotonic()
        if not at_once and now - self._said < EVERY:
            return
        self._said = now
        try:
            pipe = Server(slug=HOME).client().pipeline(transaction=False)
            name = stream(self.pk)
            pipe.xadd(name, {"n": counted, "s": state}, maxlen=STREAM_LENGTH, approximate=True)
            pipe.expire(name, STREAM_SECONDS)
            pipe.execute()
        except (RedisError, RedisopsError) as error:
            # Home is away: the page polls, and the job itself is in SQL.
            log.info("pages were not told of a job", job=self.pk, error=str(error))
