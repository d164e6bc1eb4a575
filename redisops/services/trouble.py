"""What is waited out and tried again by who works in the background, and how it is told."""

from __future__ import annotations

import redis

from redisops.errors import RedisopsError
from redisops.resilience import diagnose

ERRORS = (redis.RedisError, RedisopsError, OSError, redis.RedisClusterException)
"""What is no fault of ours: Redis is away, refuses, or was not heard."""


def words(error: BaseException) -> str:
    """The trouble in a sentence, with what Redis said of it."""
    trouble = diagnose(error)
    return f"{trouble.sentence} {trouble.detail}".strip()
