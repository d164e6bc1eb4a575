"""How often somebody may try to sign in.

Two books are kept by the same rules, and the stricter one holds. SQL's is always there: it holds
while Redis is away, and after Redis was flushed. The other is kept by whoever registers one: the
area of rate limits counts tries on home under policies that an admin of the console can tune.
"""

from __future__ import annotations

import base64
import ipaddress
import time
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from dashboard.accounts.models import SignInAttempt

# What holds until somebody decides otherwise, and while nobody counts but SQL.
SECONDS = 15 * 60
PER_ACCOUNT = 5
PER_ADDRESS = 20
# The longest period that a rule may have: tries are kept for as long.
LONGEST_SECONDS = 24 * 3600
_told: dict[tuple[str, str], float] = {}


@dataclass(frozen=True)
class Rule:
    """At most ``limit`` failures in ``seconds``."""

    limit: int
    seconds: float


@dataclass(frozen=True)
class Told:
    """What the other book says of a try.

    ``wait``: seconds until it may be tried again, None when it may be now, or when the book cannot
    be read: SQL is asked then in any case. ``account`` and ``address``: the rules, None where
    somebody is exempt from one.
    """

    wait: float | None
    account: Rule | None
    address: Rule | None


class Limits(Protocol):
    """The other book. Nothing of it raises for trouble with Redis."""

    def attempt(self, account: str, address: str) -> Told:
        """Count a try for ``account`` and look whether ``address`` has any left."""

    def failed(self, address: str) -> None:
        """Count a failure for the address."""

    def succeeded(self, account: str) -> None:
        """Forget the account's failures."""


_limits: Limits | None = None


def register(limits: Limits | None) -> None:
    """Have tries counted in a second book as well; None takes it away."""
    global _limits
    _limits = limits


@dataclass(frozen=True)
class Attempt:
    """One try: whether the password may be looked at, and if not, when again."""

    account: str
    address: str
    retry_at: datetime | None = None
    left: int | None = 0
    seconds: float = SECONDS

    @property
    def is_allowed(self) -> bool:
        return self.retry_at is None

    def failed(self) -> None:
        """The try stays counted, for the account and for the address."""
        if _limits is not None:
            _limits.failed(self.address)

    def succeeded(self) -> None:
        """The account's failures are forgotten; those of the address are not."""
        SignInAttempt.objects.filter(account=self.account).delete()
        if _limits is not None:
            _limits.succeeded(self.account)


def attempt(username: str, address: str) -> Attempt:
    """Count a try before its password is looked at; a refused one does not count.

    So trying on does not push the end away.
    """
    account = _account(username)
    told = (
        _limits.attempt(account, address)
        if _limits is not None
        else Told(None, Rule(PER_ACCOUNT, SECONDS), Rule(PER_ADDRESS, SECONDS))
    )
    if told.wait is not None:
        return Attempt(account, address, timezone.now() + timedelta(seconds=told.wait))
    return _in_sql(told, account, address)


def _in_sql(told: Told, account: str, address: str) -> Attempt:
    """Count the try in SQL.

    The row is written first and counted afterwards: of many tries at the same moment no more
    than the limit can find themselves among the first.
    """
    now, network = timezone.now(), _network(address)
    row = SignInAttempt.objects.create(at=now, account=account, address=network)
    others = SignInAttempt.objects.exclude(pk=row.pk)
    blocks, left, seconds = [], None, float(SECONDS)
    if told.account is not None:
        latest = _latest(others.filter(account=account), told.account, now)
        blocks.append(_blocked_until(latest, told.account))
        left, seconds = told.account.limit - len(latest) - 1, told.account.seconds
    if network and told.address is not None:
        latest = _latest(others.filter(address=network), told.address, now)
        blocks.append(_blocked_until(latest, told.address))
    retry_at = max((block for block in blocks if block is not None), default=None)
    if retry_at is not None:
        row.delete()
        return Attempt(account, address, retry_at)
    return Attempt(account, address, left=left, seconds=seconds)


def is_news(account: str, address: str) -> bool:
    """Whether a refusal should be recorded: once a minute for an account from an address.

    The audit is for people to read, and nobody outside may fill it at will.
    """
    now, who = time.monotonic(), (account, _network(address))
    if now - _told.get(who, float("-inf")) < 60:
        return False
    if len(_told) > 10_000:
        _told.clear()
    _told[who] = now
    return True


def forget_old() -> int:
    """Remove what no rule counts any more; how many."""
    kept = timezone.now() - timedelta(seconds=LONGEST_SECONDS)
    return SignInAttempt.objects.filter(at__lt=kept).delete()[0]


def _latest(rows: QuerySet[SignInAttempt], rule: Rule, now: datetime) -> list[datetime]:
    recent = rows.filter(at__gt=now - timedelta(seconds=rule.seconds))
    return list(recent.order_by("-at").values_list("at", flat=True)[: rule.limit])


def _blocked_until(latest: list[datetime], rule: Rule) -> datetime | None:
    if len(latest) < rule.limit:
        return None
    return latest[rule.limit - 1] + timedelta(seconds=rule.seconds)


def _account(username: str) -> str:
    name = unicodedata.normalize("NFKC", username).casefold()
    digest = salted_hmac("accounts.throttle", name, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode()


def _network(address: str) -> str:
    """An IPv4 address, or the /64 that one subscriber has of IPv6; empty when not known."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
