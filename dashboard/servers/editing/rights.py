"""Which rights the console's user on a server lacks, page by page, and the rule that gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redisops.acl import Acl, Command, Rights
from redisops.connection import Client

# A key that nobody has, below no prefix of ours, so that patterns are judged as for any key.
PROBE = b"redisops-rights-check"


@dataclass(frozen=True)
class Area:
    """A page and what it sends; ``without`` says what happens when a right is missing."""

    label: str
    without: str
    reads: Mapping[str, Command]


@dataclass(frozen=True)
class AreaRights:
    """What is missing for one page."""

    label: str
    without: str
    refused: Mapping[str, str]

    @property
    def is_complete(self) -> bool:
        return not self.refused


@dataclass(frozen=True)
class Report:
    """The whole answer: who the console is there, and each page's missing rights."""

    user: str
    areas: Sequence[AreaRights]
    keys_limited: bool

    @property
    def line(self) -> str:
        """One command that gives everything that is missing; "" when nothing is."""
        rules = dict.fromkeys(rule for area in self.areas for rule in area.refused.values())
        return f"ACL SETUSER {self.user} {' '.join(rules)}" if rules else ""


AREAS = (
    Area("Overview", "The figures it feeds stay empty and say so.", {
        "INFO": ("INFO", "server"),
        "CLIENT LIST": ("CLIENT", "LIST", "TYPE", "pubsub"),
        "CONFIG GET": ("CONFIG", "GET", "maxmemory"),
        "LATENCY HISTOGRAM": ("LATENCY", "HISTOGRAM", "ping"),
        "SLOWLOG LEN": ("SLOWLOG", "LEN"),
    }),
    Area("Keys: the list", "Its column stays empty; without SCAN only exact names open.", {
        "SCAN": ("SCAN", "0", "COUNT", "1"),
        "DBSIZE": ("DBSIZE",),
        "TYPE": ("TYPE", PROBE),
        "PTTL": ("PTTL", PROBE),
        "MEMORY USAGE": ("MEMORY", "USAGE", PROBE),
        "OBJECT ENCODING": ("OBJECT", "ENCODING", PROBE),
        "OBJECT IDLETIME": ("OBJECT", "IDLETIME", PROBE),
        "STRLEN": ("STRLEN", PROBE),
        "HLEN": ("HLEN", PROBE),
        "LLEN": ("LLEN", PROBE),
        "SCARD": ("SCARD", PROBE),
        "ZCARD": ("ZCARD", PROBE),
        "XLEN": ("XLEN", PROBE),
    }),
    Area("Keys: values", "Keys of that type open without their value.", {
        "GETRANGE": ("GETRANGE", PROBE, "0", "0"),
        "HSCAN": ("HSCAN", PROBE, "0"),
        "LRANGE": ("LRANGE", PROBE, "0", "0"),
        "SSCAN": ("SSCAN", PROBE, "0"),
        "ZRANGE": ("ZRANGE", PROBE, "0", "0"),
        "ZREVRANGE": ("ZREVRANGE", PROBE, "0", "0"),
        "XRANGE": ("XRANGE", PROBE, "-", "-", "COUNT", "1"),
        "XINFO GROUPS": ("XINFO", "GROUPS", PROBE),
        "PFCOUNT": ("PFCOUNT", PROBE),
    }),
)  # fmt: skip


def check(client: Client) -> Report:
    """Try every command of every page on one primary, without effect. Two round trips."""
    reads = {name: command for area in AREAS for name, command in area.reads.items()}
    rights = Acl(client.primaries()[0]).rights(reads, {})
    areas = [_of(area, rights) for area in AREAS]
    return Report(rights.user or "default", areas, rights.keys_limited)


def _of(area: Area, rights: Rights) -> AreaRights:
    refused = {name: rights.refused[name] for name in area.reads if name in rights.refused}
    return AreaRights(area.label, area.without, refused)
