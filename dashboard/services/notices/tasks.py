"""What Celery does for notifications: writes what is due, sends what is written, tidies the log."""

from __future__ import annotations

import redis
import structlog
from celery import shared_task
from django.core.cache import cache

from dashboard.services.notices import delivering, settling
from redisops.errors import RedisopsError

log = structlog.get_logger(__name__)

LEASE, LEASE_SECONDS = "services:deliver", 30


@shared_task(name="services.notify")  # type: ignore[untyped-decorator]
def notify() -> int:
    """Turn what is due into notifications, then send all that wait. Any number of workers."""
    told = settling.settle()
    deliver.apply_async(expires=30, ignore_result=True)
    return told


@shared_task(name="services.deliver")  # type: ignore[untyped-decorator]
def deliver() -> int:
    """Send what waits. One worker at a time, or receivers that hang would take all threads."""
    if not _lease():
        return 0
    try:
        return delivering.deliver()
    finally:
        _release()


@shared_task(name="services.forget_deliveries")  # type: ignore[untyped-decorator]
def forget() -> int:
    return delivering.forget()


def _lease() -> bool:
    try:
        return bool(cache.add(LEASE, 1, timeout=LEASE_SECONDS))
    except (redis.RedisError, RedisopsError) as error:
        # Home is away: each notification is claimed in SQL, so that two at once harm nothing.
        log.warning("no lease to deliver notifications", error=str(error))
        return True


def _release() -> None:
    try:
        cache.delete(LEASE)
    except (redis.RedisError, RedisopsError) as error:
        log.warning("the lease to deliver notifications runs out by itself", error=str(error))
