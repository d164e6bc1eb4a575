"""The timeline of a page: what is kept, and before it what Redis tells and nobody kept yet."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from dashboard.services.history import lasting, showing
from dashboard.services.history.models import Change
from dashboard.services.history.showing import Line
from dashboard.services.instances.reading import SAME, Look
from redisops.services.model import Event

LINES = 25


def lines(look: Look, kept: Sequence[Change], instance: str = "") -> list[Line]:
    """The newest changes of the service, or of one instance, newest first; ``kept`` are those.

    Changes are kept within a second or so: who just acted sees at once what came of it.
    """
    last = max((one.at.timestamp() for one in kept), default=0.0)
    fresh = [
        _change(event)
        for event in look.known.events
        if last + SAME < event.at < look.now + 60 and (not instance or event.id == instance)
    ]
    return showing.lines([*fresh, *kept][:LINES], lasting.of(kept))


def _change(event: Event) -> Change:
    """As it will be kept."""
    return Change(
        service=event.service, instance=event.id, event=event.event, from_state=event.origin,
        state=event.state, suspect=event.suspect, why=event.why,
        at=datetime.datetime.fromtimestamp(event.at, datetime.UTC),
    )  # fmt: skip
