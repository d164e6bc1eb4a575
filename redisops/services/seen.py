"""All services of a Redis as one look found them: values without any command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redisops.services.model import Event, Instance, Reading
from redisops.services.results import Result


@dataclass(frozen=True)
class Seen:
    """One service at the time ``at`` (seconds since 1970 by the server's clock).

    ``ends``: by id when its lease ends, ms since 1970; ``results``: the last check by id;
    ``flapping``: ids; ``kept``: by id when its maintenance ends, ms since 1970; ``events``: the
    newest changes, newest first; ``swept``: when a sweeper last looked, 0 for never;
    ``holding``: until when nobody is judged, 0 for not; ``keeping``: until when nobody goes on the
    lease alone, as too many of all services stopped at once, 0 for not (a sweeper says so again
    and again); ``detailed``: when results were read; ``trouble``: what could not be read, in the
    server's words (of this look, or of the records when they were read).
    """

    name: str
    reading: Reading
    at: float = 0.0
    ends: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Result] = field(default_factory=dict)
    flapping: frozenset[str] = frozenset()
    kept: Mapping[str, int] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    swept: float = 0.0
    holding: float = 0.0
    keeping: float = 0.0
    detailed: float = 0.0
    trouble_now: str = ""
    trouble_read: str = ""

    @property
    def trouble(self) -> str:
        return self.trouble_now or self.trouble_read

    @property
    def instances(self) -> tuple[Instance, ...]:
        return self.reading.instances


@dataclass(frozen=True)
class Look:
    """All services that are known. ``now`` is the server's clock, seconds since 1970.

    ``is_whole``: all names were looked at (``walked``), every service was read, and none is known
    to have changed since (``stale``); else look again at once. ``more``: there are more services
    or instances than are read. ``looked``: names of which this look read leases or records.
    """

    now: float = 0.0
    services: Mapping[str, Seen] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    more: bool = False
    looked: tuple[str, ...] = ()
    trouble: str = ""
    cursor: str = "0"
    at: int = 0
    found: frozenset[str] = frozenset()
    stale: tuple[str, ...] = ()
    walked: bool = False

    @property
    def is_whole(self) -> bool:
        return (self.walked or bool(self.trouble)) and not self.unread and not self.stale
