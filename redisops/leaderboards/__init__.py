"""Leaderboards: ranks by score in windows of time, three tie rules, one command a call."""

from redisops.leaderboards.board import AsyncLeaderboard, Leaderboard
from redisops.leaderboards.model import (
    Archived,
    Bucket,
    Histogram,
    How,
    Look,
    Order,
    Overview,
    Season,
    Standing,
    Ties,
)

__all__ = [
    "Archived",
    "AsyncLeaderboard",
    "Bucket",
    "Histogram",
    "How",
    "Leaderboard",
    "Look",
    "Order",
    "Overview",
    "Season",
    "Standing",
    "Ties",
]
