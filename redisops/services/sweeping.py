"""One look at the leases of a service: its scripts, what they answer, what all of them say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from redisops.fast.sources import Script
from redisops.services.decoding import texts
from redisops.services.model import Repaired, Swept
from redisops.services.naming import keys_of


class Counts(NamedTuple):
    """Of a service: leases, those over that count as stopped, gone within a minute, and late."""

    leases: int
    stopped: int
    lost: int
    late: int


def sweeping(service: str, limits: Sequence[Any]) -> Script:
    """Judge those whose lease is over; ``limits`` as ``service_sweep.lua`` takes them."""
    keys = keys_of(service)
    return (
        "service_sweep",
        [keys.ver, keys.events, keys.lease, keys.rec, keys.st, keys.own, keys.sus, keys.until,
         keys.chk, keys.cfg, keys.swept],
        [keys.channel, *limits],
    )  # fmt: skip


def counts_of(reply: Sequence[Any]) -> Counts:
    """What one service's answer to ``sweeping`` counted."""
    return Counts(int(reply[7]), *map(int, reply[9:12]))


def considered(counts: Collection[Counts], share: float, few: int) -> tuple[bool, bool, int, int]:
    """Of all services together: whether too many stopped, whether too many may have (with those
    who are late), how many stopped, and of how many."""
    stopped = [one.stopped + one.lost for one in counts]
    total = sum(one.leases + one.lost for one in counts)

    def too_many(several: Sequence[int]) -> bool:
        many = sum(several)
        return many > few and many > total * share and sum(map(bool, several)) > 1

    may = [n + one.late for n, one in zip(stopped, counts, strict=True)]
    return too_many(stopped), too_many(may), sum(stopped), total


def repairing(service: str, cursor: int, count: int) -> Script:
    """Remove zombies of one page; an even cursor walks the records, an odd one the leases."""
    keys = keys_of(service)
    return (
        "service_repair",
        [keys.ver, keys.events, keys.lease, keys.rec, keys.st, keys.own, keys.sus, keys.until,
         keys.chk],
        [keys.channel, "lease" if cursor % 2 else "rec", cursor // 2, count],
    )  # fmt: skip


def repaired(service: str, cursor: int, reply: Sequence[Any]) -> Repaired:
    """What came of ``repairing``."""
    leases, at = cursor % 2, int(reply[0])
    leaseless, recordless, useless = (texts(part) for part in reply[1:])
    goes_on = 2 * at + leases if at else 0 if leases else 1
    return Repaired(service, leaseless, recordless, useless, goes_on)


def swept_of(service: str, reply: Sequence[Any], resumed: Iterable[str]) -> Swept:
    """What came of ``sweeping``, and whose maintenance was ended then."""
    gone, suspects, recovered = (texts(part) for part in reply[:3])
    return Swept(
        service, gone, suspects, recovered, tuple(resumed), bool(reply[4]), bool(reply[5]),
        None if reply[6] < 0 else reply[6] / 1000, int(reply[7]),
    )  # fmt: skip


def did(one: Swept) -> bool:
    """Whether anything was done."""
    return bool(one.gone or one.suspects or one.recovered or one.resumed)
