"""What we do when Redis does not answer: deadlines, breakers, retries, fallbacks, plain words."""

from redisops.resilience.backoff import Backoff, RetryBudget
from redisops.resilience.breaker import BreakerState, CircuitBreaker, Transition
from redisops.resilience.causes import Trouble, diagnose
from redisops.resilience.deadlines import deadline
from redisops.resilience.leases import FileLease, Lease, LocalLease, RedisLease
from redisops.resilience.retrying import fallback, fallback_async, retry, retry_async
from redisops.resilience.words import Cause

__all__ = [
    "Backoff",
    "BreakerState",
    "Cause",
    "CircuitBreaker",
    "FileLease",
    "Lease",
    "LocalLease",
    "RedisLease",
    "RetryBudget",
    "Transition",
    "Trouble",
    "deadline",
    "diagnose",
    "fallback",
    "fallback_async",
    "retry",
    "retry_async",
]
