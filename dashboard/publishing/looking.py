"""What Redis has, beside what was decided: for a page, and for the comparison every few seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboard.publishing import wanting
from dashboard.publishing.kinds import Kind
from dashboard.publishing.schedule import EVERY
from dashboard.publishing.writing import TROUBLE, words
from dashboard.servers.models import Server
from redisops.documents import DocumentError


@dataclass(frozen=True)
class State:
    """``kind``: "none" (nothing was ever decided), "published", "waiting" (Redis has an older
    version), "missing", "newer", "differs" (same version, other contents), "unreadable",
    "unknown" (Redis could not be asked). ``sentence`` says it; ``there`` is what Redis has.
    """

    kind: str
    sentence: str
    row: Any
    there: Any | None = None

    @property
    def is_well(self) -> bool:
        return self.kind in ("none", "published")

    @property
    def version(self) -> int:
        """The version that is wanted, 0 before the first policy."""
        return int(self.row.version)

    @property
    def above(self) -> int:
        """The version in Redis that the next has to outdo, 0 for none."""
        return int(self.there.version) if self.there and self.kind in ("newer", "differs") else 0


def state(kind: Kind, server: Server, client: Any | None = None) -> State:
    """Ask Redis (one round trip) and compare; trouble of Redis is part of the answer."""
    row = wanting.of(kind, server)
    if not row.version:
        return State("none", "Nothing is published yet.", row)
    again = f"It is published again every {EVERY} s until it is there."
    try:
        there = kind.there(server, client).published()
    except DocumentError as error:
        said = f"Redis has a document that cannot be read: {str(error).rstrip('.')}."
        return State("unreadable", f"{said} {again}", row)
    except TROUBLE as error:
        said = f"Whether version {row.version} is published is not known: {words(error)}"
        return State("unknown", said, row)
    found, said = _compared(kind, row, there)
    if found != "published":
        said = " ".join(one for one in (said, row.trouble, again) if one)
    return State(found, said, row, there)


def _compared(kind: Kind, row: Any, there: Any | None) -> tuple[str, str]:
    wanted = row.version
    if there is None:
        return "missing", f"Redis has no {kind.what}: version {wanted} is not there."
    if there.version == wanted:
        if there == wanting.wanted(kind, row):
            return "published", f"Published at version {wanted}."
        said = f"Redis has other policies as version {wanted}: not this console wrote them."
        return "differs", said
    if there.version > wanted:
        return "newer", (
            f"Redis has version {there.version}, newer than version {wanted} of this console."
        )
    return "waiting", f"Redis has version {there.version}; version {wanted} is not there yet."
