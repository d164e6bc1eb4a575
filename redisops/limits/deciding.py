"""What both guards do: policies that apply turned into one verdict, with Redis and without."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import redis

from redisops.limits.leases import NoPlace
from redisops.limits.local import Due, Local
from redisops.limits.matching import Asked, Matched
from redisops.limits.model import Limit, Part, Verdict, check_cost
from redisops.limits.shedding import PRIORITIES
from redisops.resilience.causes import diagnose
from redisops.steps import Steps, step
from redisops.values.calls import is_cluster

log = logging.getLogger("redisops.limits")

TAG = "limits"  # on a cluster, when the document names none
AGAIN = 1.0  # seconds after which it is worth asking again while Redis is away
AWAY = (redis.RedisError, OSError)
PASSED = Verdict(allowed=True)


class Wanted(NamedTuple):
    """One policy's part in a decision."""

    matched: Matched
    cost: int


class Deciding:
    """The body of Guard and AsyncGuard."""

    def __init__(self, client: Any, book: Any, recorder: Any, prefix: str) -> None:
        self.client = client
        self.book = book
        self.recorder = recorder
        self.prefix = prefix
        self.trouble = ""
        self._local = Local()
        self._breaker = getattr(client, "breaker", None)
        self._on_cluster = client is not None and is_cluster(client)
        self._made: dict[Any, Any] = {}

    @step
    def check(self, asked: Asked, cost: int | None = None) -> Steps[Verdict]:
        """Take ``cost`` (None: each policy's own) from every policy that applies, or from none.

        Concurrency policies are left to ``slot``; a ban in one holds here, too. Without a policy
        that applies the verdict is allowed with ``policy`` "" and no parts; nothing is sent.
        Raises InvalidArgument for a cost that is no whole number of at least 1.
        """
        matched = self._matched(asked)
        if not matched:
            return PASSED
        rates, _, verdict = self.sort(matched, cost)
        if verdict is not None and not verdict.allowed:
            return verdict
        if not rates:
            return verdict or PASSED
        return (yield from self._rates(rates))

    def _slot(self, asked: Asked, cost: int | None, stack: Any) -> Steps[Verdict]:
        """``check`` with the places that it needs entered into the stack, which is the caller's."""
        matched = self._matched(asked)
        if not matched:
            return PASSED
        rates, places, verdict = self.sort(matched, cost)
        if verdict is not None and not verdict.allowed:
            return verdict
        if not places:
            return (yield from self._rates(rates)) if rates else verdict or PASSED
        verdict = yield from self._entered(places, rates, asked, stack)
        self.record(places, verdict)
        return verdict

    def _entered(
        self, places: list[Wanted], rates: list[Wanted], asked: Asked, stack: Any
    ) -> Steps[Verdict]:
        """The verdict of places, then of rates: those are spent once all places are there."""
        held: list[Verdict] = []
        wait = 0.0  # one socket timeout is all that a request waits for a Redis that is away
        for one in places:
            verdict, wait = yield from self._place(one, asked, stack, wait)
            held.append(verdict)
            if not verdict.allowed:
                return beside(verdict, held[:-1])
        if rates:
            return beside((yield from self._rates(rates, wait)), held)
        return all_of(held)

    def sort(
        self, matched: Sequence[Matched], cost: int | None, *, looks: bool = False
    ) -> tuple[list[Wanted], list[Wanted], Verdict | None]:
        """Rates, places, and the verdict of a ban, or of exemptions that leave nothing else.

        A ban is recorded, unless one only ``looks``. Sends nothing.
        """
        if cost is not None:
            check_cost(cost)
        rates: list[Wanted] = []
        places: list[Wanted] = []
        bans: list[tuple[float, Matched]] = []
        exempt: Matched | None = None
        for one in matched:
            policy = one.policy
            if one.banned is not None and (left := one.banned.until - self.book.now()) > 0:
                outcome = "shadow" if policy.mode == "shadow" else "denied"
                if not looks:
                    self._record(one, outcome, cost or policy.cost)
                if policy.mode != "shadow":
                    bans.append((left, one))
            elif one.exempt is not None and one.exempt > self.book.now():
                exempt = exempt or one
            elif policy.algorithm == "concurrency":
                places.append(Wanted(one, 1))
            else:
                rates.append(Wanted(one, policy.cost if cost is None else cost))
        if bans:
            return [], [], _banned(*max(bans, key=lambda ban: ban[0]))
        free = None
        if exempt is not None and not rates:
            limit = exempt.limit
            free = passed(limit, "exempt")._replace(remaining=limit.capacity)
        return rates, places, free

    def _rates(self, wanted: list[Wanted], wait: float = 0.0) -> Steps[Verdict]:
        """``wait``: Redis was found away a moment ago, and is worth asking again after it."""
        wait = wait or self.resting()
        if wait:
            verdict = self.away(wanted, wait)
            self.record(wanted, verdict)
            return verdict
        costs = {one.cost for one in wanted}
        try:
            limiter = self.limiter()
            if len(wanted) == 1:
                (one, cost), *_ = wanted
                verdict = yield limiter.hit(one.limit, one.subject, cost)
            elif len(costs) == 1:
                pairs = [(one.limit, one.subject) for one, _ in wanted]
                verdict = yield limiter.hit_all(pairs, costs.pop())
            else:
                triples = [(one.limit, one.subject, cost) for one, cost in wanted]
                verdict = yield limiter.hit_all(triples)
        except AWAY as error:
            self.say(error)
            verdict = self.away(wanted, again_after(error))
        else:
            if self.trouble:
                self.say(None)
        if self.recorder is not None:
            self.record(wanted, verdict)
        return verdict

    def resting(self) -> float:
        """Seconds for which the breaker lets nothing through, 0.0 when it may be asked.

        Asked before anything is made ready: the refusal itself would be most of the cost.
        """
        breaker = self._breaker
        if breaker is None or not self.trouble or breaker.state == "closed":
            return 0.0
        wait: float = breaker.retry_after
        return wait

    def away(self, wanted: list[Wanted], wait: float) -> Verdict:
        """What each policy says while Redis cannot be asked: closed, else local, else open."""
        enforced = [one for one in wanted if not one.matched.limit.shadow]
        for one, _ in enforced:
            if one.policy.on_failure == "closed":
                return denied(one.limit, one.subject, "failed_closed", wait)
        kept = [one for one in enforced if one.matched.policy.on_failure == "local"]
        if kept:
            dues = [Due(one.limit, one.subject, cost) for one, cost in kept]
            verdict = self._local.hit_all(dues, self.book.instances)
            return verdict._replace(reason="local")
        return passed((enforced or wanted)[0].matched.limit, "failed_open")

    def _place(
        self, wanted: Wanted, asked: Asked, stack: Any, wait: float
    ) -> Steps[tuple[Verdict, float]]:
        """The verdict, and the seconds after which Redis is worth asking again, 0.0 for now."""
        one = wanted.matched
        limit, subject, lease = one.limit, one.subject, one.policy.period
        wait = wait or self.resting()
        try:
            if wait:
                verdict = self._place_away(one, wait, stack)
            elif one.policy.shares:
                priority = asked.priority if asked.priority in PRIORITIES else "low"
                shedding = self._tool(self._shedding, one.policy.shares)
                got = yield self._enter(stack, shedding.slot(limit, subject, priority, lease))
                verdict = got.verdict
            else:
                places = self.places()
                got = yield self._enter(stack, places.slot(limit, subject, lease))
                verdict = got.verdict
        except NoPlace as error:
            verdict = error.verdict
        except AWAY as error:
            self.say(error)
            wait = again_after(error)
            verdict = self._place_away(one, wait, stack)
        if not wait and self.trouble:
            self.say(None)
        return verdict, wait

    def _place_away(self, one: Matched, wait: float, stack: Any) -> Verdict:
        limit = one.limit
        if limit.shadow or one.policy.on_failure == "open":
            return passed(limit, "failed_open")
        if one.policy.on_failure == "closed":
            return denied(limit, one.subject, "failed_closed", wait)
        verdict = self._local.enter(limit, one.subject, self.book.instances)
        if verdict.allowed:
            stack.callback(self._local.leave, limit, one.subject)
        return verdict._replace(reason="local")

    def record(self, wanted: Iterable[Wanted], verdict: Verdict) -> None:
        """What was let through under which policy, denied by which, or would have been."""
        if self.recorder is None:
            return
        said = {part.policy: part for part in verdict.parts}
        for one, cost in wanted:
            part = said.get(one.limit.name)
            if part is not None and not part.allowed:
                self._record(one, "shadow" if part.shadow else "denied", cost)
            elif verdict.allowed:
                self._record(one, "allowed", cost)

    def _record(self, one: Matched, outcome: str, cost: int) -> None:
        if self.recorder is not None:
            self.recorder.add(one.limit.name, one.subject, outcome, cost)

    def limiter(self) -> Any:
        """What decides rates; ConnectionError without a Redis."""
        return self._tool(self._limiter)

    def places(self) -> Any:
        """What holds places; ConnectionError without a Redis."""
        return self._tool(self._concurrency)

    def _tool(self, make: Callable[..., Any], *args: Any) -> Any:
        """The limiter, or what holds places, for the document's tag; made once for each."""
        if self.client is None:
            raise redis.ConnectionError("no Redis is configured")
        tag = self.book.document.tag or (TAG if self._on_cluster else "")
        key = (make.__name__, tag, *args)
        tool = self._made.get(key)
        if tool is None:
            if len(self._made) > 100:  # documents came and went with other tags and shares
                self._made.clear()
            tool = self._made[key] = make(tag, *args)
        return tool

    def say(self, error: BaseException | None) -> None:
        """Remember whether Redis decides; one line in the log when it ends, and when it is back."""
        before = self.trouble
        if error is None:
            self.trouble = ""
            log.warning("limits: Redis decides again")
        elif not before:
            trouble = diagnose(error)
            self.trouble = trouble.sentence
            log.warning(
                "limits: each policy's failure mode decides: %s (%s)",
                trouble.sentence, trouble.detail,
            )  # fmt: skip

    # What the blocking and the awaiting guard do in their own ways.

    _matched: Callable[[Asked], Sequence[Matched]]
    _limiter: Any
    _concurrency: Any
    _shedding: Any
    _enter: Any


def _banned(left: float, one: Matched) -> Verdict:
    limit = one.limit
    return denied(limit, one.subject, "banned", left)


def again_after(error: BaseException) -> float:
    """Seconds after which it is worth asking again."""
    return getattr(error, "retry_after", 0.0) or AGAIN


def passed(limit: Limit, reason: str) -> Verdict:
    """Let through, with the reason; what is left is not known."""
    return Verdict(
        allowed=True, limit=limit.capacity, policy=limit.name, version=limit.version, reason=reason
    )


def denied(limit: Limit, subject: bytes, reason: str, wait: float) -> Verdict:
    """Refused without asking, for so many seconds."""
    part = Part(
        policy=limit.name, subject=subject, allowed=False, limit=limit.capacity, remaining=0,
        retry_after=wait, reset_after=wait, period=limit.period, version=limit.version,
    )  # fmt: skip
    return Verdict(
        allowed=False, limit=limit.capacity, remaining=0, retry_after=wait, reset_after=wait,
        policy=limit.name, version=limit.version, reason=reason, parts=(part,),
    )  # fmt: skip


def all_of(held: Sequence[Verdict]) -> Verdict:
    """One verdict of places that were all given."""
    least = min(held, key=lambda one: one.parts[0].shadow if one.parts else True)
    return beside(least, [one for one in held if one is not least])


def beside(verdict: Verdict, others: Sequence[Verdict]) -> Verdict:
    """The verdict, with the parts and the shadows of others that were decided beside it."""
    if not others:
        return verdict
    parts = verdict.parts + tuple(part for one in others for part in one.parts)
    reason = verdict.reason or next((one.reason for one in others if one.reason), "")
    if not verdict.allowed:
        reason = verdict.reason
    shadow = verdict.shadow or any(one.shadow for one in others)
    return verdict._replace(parts=parts, shadow=shadow, reason=reason)
