"""Rate limits by Redis's clock: decided in one round trip, right at every edge."""

from redisops.limits.book import AsyncBook, Book
from redisops.limits.concurrency import AsyncConcurrency, Concurrency
from redisops.limits.guard import AsyncGuard, Guard
from redisops.limits.leases import AsyncLease, Denied, Lease, LeaseLost, NoPlace
from redisops.limits.limiter import AsyncLimiter, Limiter
from redisops.limits.matching import Asked, Matched
from redisops.limits.model import Limit, Part, Verdict
from redisops.limits.policies import Ban, Document, DocumentError, Exemption, Policy
from redisops.limits.publishing import publish, publish_async, published, published_async
from redisops.limits.recorder import AsyncRecorder, Recorder
from redisops.limits.shedding import AsyncShedding, Shedding
from redisops.limits.simulation import Simulation
from redisops.limits.use import AsyncUse, Top, Use

__all__ = [
    "Asked",
    "AsyncBook",
    "AsyncConcurrency",
    "AsyncGuard",
    "AsyncLease",
    "AsyncLimiter",
    "AsyncRecorder",
    "AsyncShedding",
    "AsyncUse",
    "Ban",
    "Book",
    "Concurrency",
    "Denied",
    "Document",
    "DocumentError",
    "Exemption",
    "Guard",
    "Lease",
    "LeaseLost",
    "Limit",
    "Limiter",
    "Matched",
    "NoPlace",
    "Part",
    "Policy",
    "Recorder",
    "Shedding",
    "Simulation",
    "Top",
    "Use",
    "Verdict",
    "publish",
    "publish_async",
    "published",
    "published_async",
]
