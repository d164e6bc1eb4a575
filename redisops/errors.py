"""The errors that the library adds to redis-py's own.

redis-py's exceptions pass through untouched where they already say what happened. These
say what redis-py cannot: that a rule of ours was broken, that nothing was sent, or that
nobody knows whether a write took place.
"""

from __future__ import annotations

import redis


class RedisopsError(Exception):
    """Base of every error that the library raises itself."""


class InvalidArgument(RedisopsError, ValueError):
    """An argument breaks a documented rule; the message quotes it and says what would be right."""


class CircuitOpen(RedisopsError, redis.ConnectionError):
    """Nothing was sent: the server's circuit breaker is open after repeated failures.

    ``retry_after`` is the number of seconds until a call is let through to try again.
    """

    retry_after: float = 0.0


class DeadlineExceeded(RedisopsError, redis.TimeoutError):
    """The total deadline of a batch of commands passed before its replies arrived."""


class UnknownResult(RedisopsError, redis.ConnectionError):
    """A write was sent and its reply was lost: the server may or may not have done it.

    It is never repeated by the library. Read the key to learn what happened.
    """


class NotSupported(RedisopsError):
    """The server cannot do this (version, flavour, module or ACL); the message says which."""
