"""Look for something inside values: a fixed grammar, bounded reads, read-only commands.

``parse`` reads a query, ``Search`` looks into the values of some keys at a time. The matching
(:mod:`redisops.searching.matching`) is pure.
"""

from __future__ import annotations

from redisops.searching.grammar import GrammarError, Query, parse
from redisops.searching.matching import Hit
from redisops.searching.parts import NOTES
from redisops.searching.reading import Bounds, Looked, Match, Search

__all__ = [
    "NOTES", "Bounds", "GrammarError", "Hit", "Looked", "Match", "Query", "Search", "parse",
]  # fmt: skip
