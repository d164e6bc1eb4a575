"""What the services' code says of a namespace: one thing, or several where processes differ."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.caching.namespaces.publishing import TROUBLE
from dashboard.caching.namespaces.saying import CACHES
from dashboard.servers.models import Server
from redisops.cache import Code, Statistics

NAMED = 3


@dataclass(frozen=True)
class Told:
    """``codes``: all that is said, what most processes say first. Empty where nobody told."""

    codes: tuple[Code, ...] = ()

    @property
    def code(self) -> Code | None:
        """What most processes say."""
        return self.codes[0] if self.codes else None

    @property
    def differs(self) -> bool:
        return len(self.codes) > 1

    @property
    def total(self) -> int:
        """How many processes told lately."""
        return len({process for code in self.codes for process in code.processes})

    @property
    def lines(self) -> list[tuple[str, list[str]]]:
        """The fields in which they differ: the label, and the words of each."""
        found = CACHES.side_by_side(*(code.policy for code in self.codes))
        places = [
            ("Shards", [f"{code.shards}" if code.shards else "—" for code in self.codes]),
            ("Before its keys", [code.place or "nothing" for code in self.codes]),
        ]
        return found + [(label, words) for label, words in places if len(set(words)) > 1]

    @property
    def who(self) -> list[tuple[str, str]]:
        """For each: how many processes, and the first of them by name."""
        return [(_count(code), _names(code)) for code in self.codes]


def told(server: Server, namespace: str) -> Told:
    """As processes told within three minutes. Two round trips at most, never in the way."""
    try:
        codes: list[Code] = Statistics(server.client()).codes(namespace)
    except TROUBLE:
        return Told()
    return Told(tuple(sorted(codes, key=lambda code: -len(code.processes))))


def _count(code: Code) -> str:
    count = len(code.processes)
    return f"{count:,} process{'' if count == 1 else 'es'}"


def _names(code: Code) -> str:
    more = len(code.processes) - NAMED
    names = ", ".join(sorted(code.processes)[:NAMED])
    return f"{names} and {more:,} more" if more > 0 else names
