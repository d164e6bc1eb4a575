"""The newest figures of a server, read from SQL and remembered by each process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from dashboard.keys.survey import passes
from dashboard.keys.survey.models import Pass
from dashboard.servers.counted import Counted
from dashboard.servers.models import Server
from redisops.survey import Figures, Survey

REMEMBERED = 4  # documents, some MB each


@dataclass(frozen=True)
class Known:
    """The figures to show: of ``made``, or of the part that it has walked so far.

    ``next`` is the pass under way, or the one that came to no end; it may be ``made`` itself.
    """

    made: Pass
    figures: Figures
    next: Pass | None = None
    levels: dict[object, object] = field(default_factory=dict, compare=False)

    @property
    def is_complete(self) -> bool:
        """Whether every key was counted."""
        return self.made.is_done

    @property
    def running(self) -> Pass | None:
        """The pass that is under way, if there is one."""
        return self.next if self.next is not None and self.next.is_running else None


_documents: OrderedDict[tuple[int, int], tuple[Figures, dict[object, object]]] = OrderedDict()
_lock = threading.Lock()


def newest(server: Server, delimiter: bytes = passes.DELIMITER) -> tuple[Known | None, Pass | None]:
    """What is known, and the pass that is under way or came to no end. One query if remembered.

    The newest complete pass counts; before the first one, what the running one has seen.
    """
    rows = list(passes.of(server, delimiter)[:2])
    unfinished = rows[0] if rows and not rows[0].is_done else None
    made = next((row for row in rows if row.is_done), None)
    if made is None and unfinished is not None and unfinished.saves:
        made = unfinished
    if made is None:
        return None, unfinished
    figures, levels = document(made)
    return Known(made, figures, unfinished, levels), unfinished


def counted(server: Server) -> Counted | None:
    """What is known, for the areas that do not know this room. As ``newest``."""
    known, _ = newest(server)
    return Counted(known.figures, known.made.at, known.is_complete) if known else None


def document(made: Pass) -> tuple[Figures, dict[object, object]]:
    """A pass's figures, and a place to remember what was made of them. One query, or none."""
    place = (made.pk, 0 if made.is_done else made.saves)
    with _lock:
        known = _documents.get(place)
        if known is not None:
            _documents.move_to_end(place)
            return known
    if made.is_done:
        figures = Figures.unpacked(bytes(made.figures or b""))
    else:
        figures = Survey(None, state=bytes(made.state or b"")).figures()
    with _lock:
        known = _documents[place] = (figures, {})
        while len(_documents) > REMEMBERED:
            _documents.popitem(last=False)
    return known


def forget() -> None:
    """Drop what is remembered; for tests, where another row may get the same number."""
    with _lock:
        _documents.clear()
