"""Tries to sign in, counted on home under the policies that protect the console.

``accounts`` is below this area and knows nothing of it: it asks whatever was registered with
``throttle.register``, and keeps its own book in SQL beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from redis.exceptions import RedisError

from dashboard.accounts.throttle import Rule, Told
from dashboard.limits.api import doors
from dashboard.limits.api.doors import Door
from dashboard.limits.policies import protected
from redisops.errors import RedisopsError
from redisops.limits.matching import Asked, Matched
from redisops.resilience import deadline

log = structlog.get_logger(__name__)

# For all that one try asks of home; SQL's book holds when that is not enough.
MOST_SECONDS = 0.5
TROUBLE = (RedisError, RedisopsError)


class SignIn:
    """``throttle.Limits`` by the library."""

    def attempt(self, account: str, address: str) -> Told:
        """Count a try for the account unless the address has none left. Two round trips.

        An account's try is counted before the password is looked at, so that many at once do not
        slip through; an address is charged for failures alone: a whole office may sign in.
        """
        door = doors.own()
        now, own = door.book.now(), door.book.match(_asked(account))
        shared = door.book.match(_asked(address=address))
        wait: float | None = None
        try:
            with deadline(MOST_SECONDS):
                wait = _wait_of_address(door, shared, now)
                if wait is None:
                    wait = _wait_of_account(door, account)
        except TROUBLE as error:
            _say(error)
        return Told(wait, _rule(own, now), _rule(shared, now))

    def failed(self, address: str) -> None:
        """Charge the address. One round trip."""
        self._quietly(lambda door: door.guard.check(_asked(address=address)))

    def succeeded(self, account: str) -> None:
        """Forget the account's failures. One round trip."""

        def forget(door: Door) -> None:
            for matched in door.book.match(_asked(account)):
                door.limiter.reset(matched.limit, matched.subject)

        self._quietly(forget)

    def _quietly(self, act: Callable[[Door], object]) -> None:
        try:
            with deadline(MOST_SECONDS):
                act(doors.own())
        except TROUBLE as error:
            _say(error)


def _wait_of_address(door: Door, found: tuple[Matched, ...], now: float) -> float | None:
    for matched in found:
        if matched.banned is not None and matched.banned.until > now:
            return matched.banned.until - now
        if _is_exempt(matched, now):
            continue
        verdict = door.limiter.peek(matched.limit, matched.subject)
        if not verdict.allowed:
            door.recorder.add(matched.policy.name, matched.subject, "denied")
            return verdict.retry_after
    return None


def _wait_of_account(door: Door, account: str) -> float | None:
    verdict = door.guard.check(_asked(account))
    # What this process would decide alone knows nothing of success, nor of other processes.
    is_redis_away = verdict.reason in ("local", "failed_open", "failed_closed")
    return None if verdict.allowed or is_redis_away else verdict.retry_after


def _say(error: Exception) -> None:
    log.warning("sign_in.counted_in_sql_alone", error=type(error).__name__)


def _asked(account: str = "", address: str = "") -> Asked:
    """A request that falls under the account's policy, the address's, or both."""
    return Asked(
        service=protected.SERVICE,
        method="POST",
        path=protected.SIGN_IN_PATH,
        ip=address,
        user=account,
    )


def _rule(found: tuple[Matched, ...], now: float) -> Rule | None:
    """The rule for SQL's book; None for who is exempt."""
    for matched in found:
        if not _is_exempt(matched, now):
            return Rule(matched.policy.limit, matched.policy.period)
    return None


def _is_exempt(matched: Matched, now: float) -> bool:
    return matched.exempt is not None and matched.exempt > now
