"""What this process knows of the services of each server: pages and sockets share one look."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from dashboard.servers.models import Server
from dashboard.services.wall.judging import Judged, judged
from dashboard.services.wall.slots import Slots
from redisops.services.overview import Look, Overview, Seen

FRESH = 2.5
"""Seconds for which a look is as good as one of now: sockets make one each second."""
PATIENCE = 1.2
MOST = 64
TOLD = 60.0


class Known:
    """The last look at one server, and what was made of it. Replaced part by part, never torn:
    a reader sees one look or the next."""

    def __init__(self) -> None:
        self.look = Look()
        self.slots = Slots()
        self.at = float("-inf")
        self.lock = threading.Lock()
        self._taking = threading.Lock()
        self._judged: dict[str, tuple[Seen, Judged]] = {}
        self._all: tuple[Look, list[Judged]] = (self.look, [])

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at < FRESH and self.look.is_whole

    def take(self, look: Look) -> None:
        """Take in a new look."""
        with self._taking:
            self.slots.note(look)
            self.look = look
            self.at = time.monotonic()

    @property
    def judged(self) -> Sequence[Judged]:
        """Every service as it stands; each is judged once per look at it."""
        look = self.look
        told, everyone = self._all
        if told is look:
            return everyone
        made = {}
        for name, seen in look.services.items():
            before = self._judged.get(name)
            made[name] = before if before and before[0] is seen else (seen, judged(seen))
        self._judged = made
        everyone = [one for _, one in made.values()]
        self._all = (look, everyone)
        return everyone

    @property
    def troubled(self) -> int:
        """Services in trouble."""
        return sum(one.level != "ok" for one in self.judged)


_known: OrderedDict[str, Known] = OrderedDict()
_lock = threading.Lock()


def of(server: Server) -> Known:
    """What is known of a server, perhaps nothing yet."""
    with _lock:
        found = _known.get(server.digest)
        if found is None:
            found = _known[server.digest] = Known()
        _known.move_to_end(server.digest)
        while len(_known) > MOST:
            _known.popitem(last=False)
        return found


def look(server: Server) -> Known:
    """What is so now: what a socket saw a moment ago, else a look of one round trip or two."""
    known = of(server)
    if known.is_fresh:
        return known
    with known.lock:
        overview, end = Overview(server.client()), time.monotonic() + PATIENCE
        known.take(overview.look(known.look))
        while not known.look.is_whole and time.monotonic() < end:
            known.take(overview.look(known.look))
    return known


def in_trouble(server: Server) -> str:
    """How many services are in trouble, for the side; "" for none, or where nobody looked."""
    found = _known.get(server.digest)
    if found is None or time.monotonic() - found.at > TOLD:
        return ""
    return str(found.troubled or "")


def forget_all() -> None:
    """Know nothing, as after a start; for tests."""
    with _lock:
        _known.clear()
