"""What each eviction policy would take on a server, from exact counts and a sample of its keys.

>>> standing = Eviction(redis).look()
>>> forecasts(standing)["volatile-lru"].is_enough
"""

from redisops.eviction.forecast import Forecast, Group, forecast, forecasts, prefix_of
from redisops.eviction.looking import AsyncEviction, Eviction, Shard, Standing, Weight
from redisops.eviction.policies import POLICIES, Policy

__all__ = [
    "POLICIES", "AsyncEviction", "Eviction", "Forecast", "Group", "Policy", "Shard", "Standing",
    "Weight", "forecast", "forecasts", "prefix_of",
]  # fmt: skip
