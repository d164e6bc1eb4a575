"""What a cache says when it cannot do what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import redis

from redisops.errors import RedisopsError

if TYPE_CHECKING:
    from redisops.cache.writing import Ended

NAMED = 5  # shards that a message names


class CacheUnavailable(RedisopsError):
    """Redis did not answer, and the policy says to raise; ``__cause__`` is Redis's own error."""


class Poisoned(RedisopsError, ValueError):
    """Bytes below a cached key that this library did not write there; read as a miss."""


class EndedPartly(RedisopsError, redis.RedisError):
    """Some shards of a cache ended what they were told to; those in ``ended.failed`` did not, or
    nobody knows. It does no harm to do it once more. ``__cause__`` is what the first one said.
    """

    def __init__(self, namespace: str, ended: Ended) -> None:
        failed = ended.failed
        which = ", ".join(f"#{shard}" for shard, _ in failed[:NAMED])
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        super().__init__(
            f"cache {namespace}: {ended.shards - len(failed)} of {ended.shards} shards did it; "
            f"{which}{more} did not, or nobody knows: {failed[0][1]}"
        )
        self.ended = ended
