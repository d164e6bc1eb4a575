"""Load shedding by priority class: what matters least is refused first.

What Stripe calls a fleet usage load shedder ("Scaling your API with rate limiters", Paul Tarjan,
https://stripe.com/blog/rate-limiters): the requests in flight are counted by kind, and a
fraction of the fleet is always kept for critical ones. Here there are four classes:

- Each class has a share of the limit that it **and all classes below it** may fill together. By
  default low traffic may fill half, normal and low 75 %, all but critical 90 %, critical 100 %.
- So what lies between two shares is a reserve that nothing of lower priority can touch: ten
  per cent for critical, fifteen more for critical and high, and so on.
- There is no reserve against those above: critical traffic may fill everything, and then
  nothing else gets in. Nobody in flight is thrown out.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from fractions import Fraction
from typing import Any

from redisops.errors import InvalidArgument
from redisops.limits.concurrency import AwaitingPlaces, BlockingPlaces, _Concurrency
from redisops.limits.leases import AsyncLease, AsyncOnLost, Denied, Lease, OnLost
from redisops.limits.model import Limit

__all__ = ["PRIORITIES", "SHARES", "AsyncShedding", "Shedding", "places"]

PRIORITIES = ("critical", "high", "normal", "low")
SHARES = {"critical": 1.0, "high": 0.9, "normal": 0.75, "low": 0.5}
"""Of the limit, what a class and those below it may fill together."""


def places(limit: int, shares: Mapping[str, float] = SHARES) -> dict[str, int]:
    """How many places each class may fill together with those below it, rounded down.

    A class that is not named has the share of the next one above; critical always has all.
    With few places a low share may come to none. Raises InvalidArgument for an unknown class,
    a share outside 0 to 1, or one above that of a higher class.
    """
    if unknown := set(shares) - set(PRIORITIES):
        known = ", ".join(PRIORITIES)
        raise InvalidArgument(f"class {min(map(str, unknown))!r:.60} is not one of {known}")
    found, above = {}, Fraction(1)
    for name in PRIORITIES:
        share = shares.get(name, above if name != "critical" else 1)
        if isinstance(share, float) and not math.isfinite(share):
            raise InvalidArgument(f"the share {share!r} of {name} is not between 0 and 1")
        share = Fraction(str(share)) if isinstance(share, float) else Fraction(share)
        if not 0 <= share <= above or (name == "critical" and share != 1):
            most = "1, all of it" if name == "critical" else f"between 0 and {float(above):g}"
            raise InvalidArgument(f"the share {float(share):g} of {name} is not {most}")
        found[name], above = int(share * limit), share
    return found


class _Shares(_Concurrency):
    """Places by priority class under one concurrency limit, for each subject.

    ``shares`` maps a class of ``PRIORITIES`` to the part of the limit that it and those below
    it may fill together. A denial's verdict has as ``limit`` the places of the class that is
    full, and ``blocked_by`` names it. One script on the four keys of a subject, which share a
    hash tag: ``…:c`` (critical; what ``Concurrency`` counts, too), ``…:c1``, ``…:c2``, ``…:c3``.
    Leases, renewal, shadow and lost replies are as ``Concurrency`` has them.
    """

    shares: Mapping[str, float]

    def __init__(
        self,
        client: Any,
        shares: Mapping[str, float] = SHARES,
        prefix: str = "limit:",
        tag: str = "",
    ) -> None:
        super().__init__(client, prefix, tag)
        places(1, shares)
        self.shares = dict(shares)

    def _class(self, limit: Limit, priority: str) -> tuple[tuple[tuple[str, int], ...], int]:
        if priority not in PRIORITIES:
            known = ", ".join(PRIORITIES)
            raise InvalidArgument(f"class {priority!r:.60} is not one of {known}")
        return tuple(places(limit.limit, self.shares).items()), PRIORITIES.index(priority)


class Shedding(_Shares, BlockingPlaces):
    __doc__ = _Shares.__doc__

    def acquire(
        self, limit: Limit, subject: str | bytes, priority: str, lease: float = 30.0
    ) -> Lease | Denied:
        """A place for a request of class ``priority``, or Denied (false). One round trip."""
        got: Lease | Denied = self.run(
            self._take(limit, subject, lease, *self._class(limit, priority))
        )
        return got

    @contextmanager
    def slot(
        self,
        limit: Limit,
        subject: str | bytes,
        priority: str,
        lease: float = 30.0,
        *,
        on_lost: OnLost | None = None,
    ) -> Iterator[Lease]:
        """A place that is held inside the block, as ``Concurrency.slot``; raises NoPlace."""
        with self._held(self.acquire(limit, subject, priority, lease), on_lost) as got:
            yield got


class AsyncShedding(_Shares, AwaitingPlaces):
    __doc__ = _Shares.__doc__

    async def acquire(
        self, limit: Limit, subject: str | bytes, priority: str, lease: float = 30.0
    ) -> AsyncLease | Denied:
        """As ``Shedding.acquire``. A task that is cancelled here holds nothing."""
        got: AsyncLease | Denied = await self._taken(
            limit, subject, lease, *self._class(limit, priority)
        )
        return got

    @asynccontextmanager
    async def slot(
        self,
        limit: Limit,
        subject: str | bytes,
        priority: str,
        lease: float = 30.0,
        *,
        on_lost: AsyncOnLost | None = None,
    ) -> AsyncIterator[AsyncLease]:
        """As ``Shedding.slot``, renewed by a task."""
        async with self._held(await self.acquire(limit, subject, priority, lease), on_lost) as got:
            yield got
