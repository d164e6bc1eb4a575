"""Whose session a key is, by its name: the layouts of the frameworks that keep sessions in Redis.

Names are attacker-controlled bytes: what looks like a session may hold anything, and its reader
decides (``foreign``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["redisops", "django", "django-db", "spring", "express", "flask"]

LABELS: dict[str, str] = {
    "redisops": "Redisops",
    "django": "Django",
    "django-db": "Django, cached_db",
    "spring": "Spring Session",
    "express": "express (connect-redis)",
    "flask": "Flask-Session",
}
PATTERN = b"*sess*"
"""What every name below matches, for SCAN."""
PRINCIPAL = (
    b"org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME"
)
HASHES = frozenset({"redisops", "spring"})
LONGEST = 512
"""Bytes of a name; a longer one is no session of these."""

_UUID = rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NAMES: tuple[tuple[Kind, re.Pattern[bytes]], ...] = (
    ("redisops", re.compile(rb"(?s)(.*)session:\{([A-Za-z0-9_-]{40})\}")),
    ("django", re.compile(rb"(?s)(.*)django\.contrib\.sessions\.cache([a-z0-9]{32})")),
    ("django-db", re.compile(rb"(?s)(.*)django\.contrib\.sessions\.cached_db([a-z0-9]{32})")),
    ("spring", re.compile(rb"(?s)(.*:)sessions:(" + _UUID + rb")")),
    ("express", re.compile(rb"(?s)(|.*[^A-Za-z0-9])sess:([A-Za-z0-9_-]{16,128})")),
    ("flask", re.compile(rb"(?s)(|.*[^A-Za-z0-9])session:([A-Za-z0-9_-]{16,128})")),
)


@dataclass(frozen=True)
class Named:
    """A key that is named as a session. ``before``: what stands before the layout's own words."""

    name: bytes
    kind: Kind
    before: bytes
    id: str

    @property
    def label(self) -> str:
        return LABELS[self.kind]

    @property
    def is_hash(self) -> bool:
        return self.kind in HASHES

    def index_of(self, who: str) -> bytes | None:
        """The key that lists the sessions of one person, where the layout keeps one."""
        return index_of(self.kind, self.before, who)


def named(name: bytes) -> Named | None:
    """What session a key's name says it is; None for any other key."""
    if len(name) > LONGEST:
        return None
    for kind, pattern in _NAMES:
        match = pattern.fullmatch(name)
        if match:
            return Named(name, kind, match[1], match[2].decode())
    return None


def index_of(kind: str, before: bytes, who: str) -> bytes | None:
    """See ``Named.index_of``: a sorted set of Redisops, a set of Spring, None elsewhere."""
    person = who.encode("utf-8", "surrogatepass")
    if kind == "redisops":
        return b"%bsessions:{%b}" % (before, person)
    if kind == "spring":
        return b"%bindex:%b:%b" % (before, PRINCIPAL, person)
    return None


def name_of(kind: str, before: bytes, id: str) -> bytes:
    """The key of the session of that id, as an index names it."""
    if kind == "redisops":
        return b"%bsession:{%b}" % (before, id.encode())
    return b"%bsessions:%b" % (before, id.encode())
