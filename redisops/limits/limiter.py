"""Ask Redis whether one more may pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.fast.sources import Script, head
from redisops.limits.model import Limit, Verdict, check_cost
from redisops.limits.naming import Keys
from redisops.limits.verdicts import Asked, Costing, of_one, of_several
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import is_cluster

MOST_AT_ONCE = 1_000
MOST_COST = 2**32  # above every limit: whatever is asked beyond it is denied alike


class _Limiter:
    """Decides by limits whose state is in Redis; one round trip and one script a decision.

    ``client`` is what ``connect`` gave, or a plain redis-py client; ``prefix`` begins every
    key. Time is the server's clock, and a denied cost is not spent. Nothing is kept in this object
    but the names, so that any number of them, in any number of processes, decide as one.

    Keys: ``<prefix>{<policy>:<subject>}:<suffix>``, always with a TTL. On a cluster several
    limits can only be decided at once with a ``tag``, which puts them all into one slot:
    ``<prefix>{<tag>}:<policy>:<subject>:<suffix>``. A subject is str or bytes of any length;
    above 200 bytes its hash is in the name. Errors of the connection and the server pass through:
    what they mean for a caller is for its policy to say (see ``Guard``).
    """

    _fast: Any

    def __init__(self, client: Any, prefix: str = "limit:", tag: str = "") -> None:
        self.keys = Keys(prefix, tag)
        self._crosses = not tag and is_cluster(client)

    @step
    def peek(self, limit: Limit, subject: str | bytes, cost: int = 1) -> Steps[Verdict]:
        """What ``hit`` would say now; changes nothing. One round trip.

        ``remaining`` is what is there, the ``cost`` not taken off.
        """
        wire, key = limit.wire, self.keys.of(limit, subject)
        arguments = (b"-" + _amount(cost), wire.packed)
        reply = yield self._fast.script(wire.script, (key,), arguments, repeatable=True)
        return of_one(limit, subject, reply, 0)

    @step
    def peek_all(self, asked: Sequence[Asked], cost: int = 1) -> Steps[Verdict]:
        """What ``hit_all`` would say now; changes nothing. One round trip."""
        if not asked:
            return Verdict(allowed=True)
        keys, arguments = self._all(asked, b"-" + _amount(cost))
        replies = yield self._fast.script("limit_all", keys, arguments, repeatable=True)
        return of_several(asked, replies, cost, take=False)

    @step
    def reset(self, limit: Limit, subject: str | bytes) -> Steps[bool]:
        """Give the subject everything back; whether anything was spent. One round trip."""
        count = yield self._fast.call("UNLINK", self.keys.of(limit, subject))
        return bool(count)

    @step
    def decide_each(
        self, decisions: Sequence[Sequence[Costing]], *, take: bool
    ) -> Steps[list[Verdict | Exception]]:
        """``hit_all``, or to look ``peek_all``, of each, decided for itself. One round trip.

        One that the server refuses has its error in its place.
        """
        replies = yield self._fast.scripts([self._script(one, take=take) for one in decisions])
        return [
            reply if isinstance(reply, Exception) else _verdict(one, reply, take=take)
            for one, reply in zip(decisions, replies, strict=True)
        ]

    def _script(self, asked: Sequence[Costing], *, take: bool) -> Script:
        """What one decision runs: the limit's own script where it is alone."""
        sign = b"" if take else b"-"
        if len(asked) > 1:
            return "limit_all", *self._all(asked, sign + b"1")
        limit, subject, cost = asked[0]
        wire = limit.wire
        return wire.script, (self.keys.of(limit, subject),), (sign + _amount(cost), wire.packed)

    def _all(self, asked: Sequence[Asked], cost: bytes) -> tuple[list[bytes], tuple[bytes, bytes]]:
        """The keys and arguments of ``limit_all``."""
        keys, arguments, _ = self._packed(asked, cost)
        return keys, arguments

    def _packed(
        self, asked: Sequence[Asked], cost: bytes
    ) -> tuple[list[bytes], tuple[bytes, bytes], bytes]:
        """The keys and arguments of ``limit_all``, and the whole call as the server reads it."""
        of = self.keys.of
        keys, packed, limits = [], b"", b""
        for one in asked:
            limit = one[0]
            key = of(limit, one[1])
            keys.append(key)
            packed += b"$%d\r\n%b\r\n" % (len(key), key)
            limits += limit.wire.among if len(one) == 2 else _costing(limit, one[2])
        self._check(keys)
        call = b"%b%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            head("limit_all", len(keys), 2), packed, len(cost), cost, len(limits), limits
        )  # fmt: skip
        return keys, (cost, limits), call

    def _check(self, keys: Sequence[bytes]) -> None:
        if len(keys) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(keys)} limits are more than {MOST_AT_ONCE} at once")
        if len(set(keys)) < len(keys):
            raise InvalidArgument("a policy is asked twice of the same subject in one decision")
        if self._crosses and len({key_slot(key) for key in keys}) > 1:
            raise InvalidArgument(
                "on a cluster several limits are decided at once only by a Limiter with a tag"
            )


# The hot calls are written out twice: as steps they would cost as much again as all that is done
# here besides the round trip.


class Limiter(_Limiter, Blocking):
    __doc__ = _Limiter.__doc__

    def __init__(self, client: Any, prefix: str = "limit:", tag: str = "") -> None:
        super().__init__(client, prefix, tag)
        self._fast = Fast.of(client)

    def hit(self, limit: Limit, subject: str | bytes, cost: int = 1) -> Verdict:
        """Spend ``cost`` of what the subject may have, if there is enough. One round trip.

        Raises InvalidArgument for a cost that is no whole number of at least 1.
        """
        wire, key = limit.wire, self.keys.of(limit, subject)
        if cost == 1 and type(cost) is int:
            call, arguments = wire.call.on(key), wire.arguments
        else:
            call, arguments = None, (_amount(cost), wire.packed)
        reply = self._fast.script(wire.script, (key,), arguments, packed=call)
        return of_one(limit, subject, reply, cost)

    def hit_all(self, asked: Sequence[Asked], cost: int = 1) -> Verdict:
        """Spend ``cost`` under every limit, or under none. One round trip, whatever their number.

        ``asked``: up to 1,000 pairs of limit and subject, of any algorithms; a third is what
        this limit is to be spent, where that is another cost. If a limit denies, nothing is spent
        anywhere, and the verdict is that of the limit with the longest wait. A limit in shadow
        is spent while it allows and does not hold the others up. Raises InvalidArgument when a
        pair is there twice.
        """
        if not asked:
            return Verdict(allowed=True)
        keys, arguments, packed = self._packed(asked, _amount(cost))
        replies = self._fast.script("limit_all", keys, arguments, packed=packed)
        return of_several(asked, replies, cost, take=True)


class AsyncLimiter(_Limiter, Awaiting):
    __doc__ = _Limiter.__doc__

    def __init__(self, client: Any, prefix: str = "limit:", tag: str = "") -> None:
        super().__init__(client, prefix, tag)
        self._fast = AsyncFast.of(client)

    async def hit(self, limit: Limit, subject: str | bytes, cost: int = 1) -> Verdict:
        """As ``Limiter.hit``."""
        wire, key = limit.wire, self.keys.of(limit, subject)
        if cost == 1 and type(cost) is int:
            call, arguments = wire.call.on(key), wire.arguments
        else:
            call, arguments = None, (_amount(cost), wire.packed)
        reply = await self._fast.script(wire.script, (key,), arguments, packed=call)
        return of_one(limit, subject, reply, cost)

    async def hit_all(self, asked: Sequence[Asked], cost: int = 1) -> Verdict:
        """As ``Limiter.hit_all``."""
        if not asked:
            return Verdict(allowed=True)
        keys, arguments, packed = self._packed(asked, _amount(cost))
        replies = await self._fast.script("limit_all", keys, arguments, packed=packed)
        return of_several(asked, replies, cost, take=True)


def _verdict(asked: Sequence[Costing], reply: Any, *, take: bool) -> Verdict:
    if len(asked) > 1:
        return of_several(asked, reply, 1, take=take)
    limit, subject, cost = asked[0]
    return of_one(limit, subject, reply, cost if take else 0)


def _costing(limit: Limit, cost: int) -> bytes:
    return limit.wire.costing(limit, min(check_cost(cost), MOST_COST))


def _amount(cost: int) -> bytes:
    if cost == 1 and type(cost) is int:
        return b"1"
    return b"%d" % min(check_cost(cost), MOST_COST)
