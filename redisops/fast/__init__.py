"""The fast path: one round trip for hot commands and scripts, at a fraction of redis-py's cost."""

from redisops.fast.awaiting import AsyncFast
from redisops.fast.blocking import Fast

__all__ = ["AsyncFast", "Fast"]
