"""Uniques: how many different ones there were, in 12 kB a window, whatever their number."""

from redisops.uniques.counter import ERROR, AsyncUniques, Uniques, margin
from redisops.uniques.series import AsyncCounters, Counters, Series, series_named, series_of

__all__ = [
    "ERROR",
    "AsyncCounters",
    "AsyncUniques",
    "Counters",
    "Series",
    "Uniques",
    "margin",
    "series_named",
    "series_of",
]
