"""Which sessions are meant: one, those of a person, those that began or were seen long ago."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from django.http import QueryDict

from dashboard.servers.models import Server
from dashboard.sessions.listing import finding
from dashboard.sessions.listing.finding import Known
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.sessions.browsing import Row
from redisops.sessions.layouts import LABELS, index_of, named

LOOKED = 2_000
"""Sessions whose values are read to find a person's, where no index names them."""
HOURS = {"1": "an hour", "24": "a day", "168": "a week", "720": "30 days"}


@dataclass(frozen=True)
class Wanted:
    """What was asked for. ``older``: hours since it was last seen, or began where nobody tells."""

    who: str = ""
    kind: str = ""
    older: str = ""
    endless: bool = False
    keep: bytes = b""
    names: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, data: QueryDict) -> Wanted:
        """What an address or a form asks for; InvalidArgument for a key that is none."""
        kind, older = data.get("kind", ""), data.get("older", "")
        keep = data.get("keep", "")
        return cls(
            data.get("who", "").strip()[:200], kind if kind in LABELS else "",
            older if older in HOURS else "", data.get("left") == "none",
            keys.from_url(keep) if keep else b"",
            tuple(keys.from_url(one) for one in data.getlist("key")[:500]),
        )  # fmt: skip

    @property
    def is_any(self) -> bool:
        return bool(self.who or self.older or self.endless or self.kind or self.names)

    @property
    def needs_values(self) -> bool:
        return bool(self.who or self.older)

    @property
    def sentence(self) -> str:
        """What is meant, in words that follow "End"."""
        if self.names:
            return "the chosen session" if len(self.names) == 1 else "the chosen sessions"
        words = ["all sessions"]
        if self.kind:
            words.append(f"of {LABELS[self.kind]}")
        if self.who:
            words.append(f"of {self.who}")
        if self.older:
            words.append(f"not seen for {HOURS[self.older]}")
        if self.endless:
            words.append("without an expiry")
        if self.keep:
            words.append("but the one that is kept")
        return " ".join(words)


@dataclass(frozen=True)
class Selected:
    """The rows that are meant; ``looked`` of ``there`` sessions were looked at to find them."""

    rows: list[Row] = field(default_factory=list)
    looked: int = 0
    there: int = 0
    gone: frozenset[bytes] = frozenset()

    @property
    def is_whole(self) -> bool:
        return self.looked >= self.there


def select(server: Server, seen: Known, wanted: Wanted) -> Selected:
    """The sessions that are meant, among those that are known. A few round trips, bounded."""
    if wanted.names:
        return _read(server, list(wanted.names), wanted, frozenset())
    library = finding.browser(server)
    indexed: dict[bytes, None] = {}
    if wanted.who:
        places = sorted({(one.kind, one.before) for one in seen.found})
        for kind, before in places[:20]:
            if index_of(kind, before, wanted.who):
                indexed |= dict.fromkeys(library.of(kind, before, wanted.who))
    names = indexed | dict.fromkeys(name for name in seen.names if _may_be(name, wanted, seen))
    return _read(server, list(names), wanted, frozenset(indexed))


def _read(
    server: Server, names: list[bytes], wanted: Wanted, indexed: frozenset[bytes]
) -> Selected:
    names = [name for name in names if not server.protects(name)]
    asked = names[:LOOKED]
    found = finding.browser(server).read(asked)
    gone = frozenset(name for name, row in zip(asked, found, strict=True) if row is None)
    rows = []
    for row in found:
        if row is None:
            continue
        if row.name in indexed and not row.content.who:  # sealed: its index says whose it is
            row = replace(row, content=replace(row.content, who=wanted.who))
        if _is_meant(row, wanted):
            rows.append(row)
    return Selected(rows, len(asked), len(names), gone)


# One name, two writers: what it holds decides.
_ALIKE = {"flask": ("flask", "django")}


def _may_be(name: bytes, wanted: Wanted, seen: Known) -> bool:
    if wanted.endless and name not in seen.endless_names:
        return False
    one = named(name)
    return one is not None and (not wanted.kind or wanted.kind in _ALIKE.get(one.kind, (one.kind,)))


def _is_meant(row: Row, wanted: Wanted) -> bool:
    if row.name == wanted.keep:
        return False
    if wanted.names:
        return True
    if wanted.who and row.content.who != wanted.who:
        return False
    if wanted.kind and row.kind != wanted.kind:
        return False
    if wanted.endless and row.left is not None:
        return False
    if wanted.older:
        at = row.content.seen or row.content.since
        return at is not None and time.time() - at > int(wanted.older) * 3600
    return True


def checked(data: QueryDict) -> Wanted:
    """``Wanted.of`` that must mean something. InvalidArgument for "all there are"."""
    wanted = Wanted.of(data)
    if not wanted.is_any:
        raise InvalidArgument("say which sessions: of whom, how old, or choose some")
    return wanted
