"""Cache-aside and write-through: one loader for all processes, ended by key, tag, prefix at once.

>>> cache = Cache(redis, "catalog", ttl=300, stale=60)
>>> cache.get_or_load("product:7", lambda: slow(7), tags=["shoes"])   # a hit is one round trip
>>> cache.invalidate_tag("shoes")                                     # O(1), loads under way too
"""

from redisops.cache.body import Written
from redisops.cache.counts import AsyncStatistics, Counts, Minute, Statistics
from redisops.cache.declared import Code
from redisops.cache.decorator import cached
from redisops.cache.described import Described, Entries, Preview
from redisops.cache.entry import Entry
from redisops.cache.errors import CacheUnavailable, EndedPartly, Poisoned
from redisops.cache.inspecting import AsyncInspector, Inspector
from redisops.cache.policy import Policy, read_policy
from redisops.cache.publishing import AsyncPublishing, Document, DocumentError, Publishing
from redisops.cache.store import AsyncCache, Cache
from redisops.cache.writing import Ended

__all__ = [
    "AsyncCache", "AsyncInspector", "AsyncPublishing", "AsyncStatistics", "Cache",
    "CacheUnavailable", "Code", "Counts", "Described", "Document", "DocumentError", "Ended",
    "EndedPartly", "Entries", "Entry", "Inspector", "Minute", "Poisoned", "Policy", "Preview",
    "Publishing", "Statistics", "Written", "cached", "read_policy",
]  # fmt: skip
