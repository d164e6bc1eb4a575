"""The outbox is emptied: at least once, with backoff, in order for each rule, all at once."""

from __future__ import annotations

import asyncio
import datetime

import structlog
from django.db.models import Exists, OuterRef
from django.utils import timezone

from dashboard.servers.secrets import SecretUnreadable
from dashboard.services.checks import targets
from dashboard.services.history.models import Followed
from dashboard.services.notices import sending
from dashboard.services.notices.models import Delivery, Mute, Rule, Standing, State, Tally
from dashboard.services.notices.sending import Outcome

log = structlog.get_logger(__name__)

AT_ONCE = 50
CLAIM = datetime.timedelta(seconds=60)
"""After so long what a worker took is taken by another: it was killed, and sent it or not."""
BASE, LONGEST = 5.0, 3600.0
KEEP_TRYING = datetime.timedelta(hours=24)


def deliver(now: datetime.datetime | None = None) -> int:
    """Send what is due, of each rule the oldest that waits; how many were delivered."""
    now = now or timezone.now()
    work = [(one, _claimed(one, now)) for one in _due(now)]
    mine = [one for one, is_mine in work if is_mine]
    if not mine:
        return 0
    targets.look()
    outcomes = asyncio.run(_send(mine))
    for one, outcome in zip(mine, outcomes, strict=True):
        _close(one, outcome, now)
    return sum(outcome.is_sent for outcome in outcomes)


def _due(now: datetime.datetime) -> list[Delivery]:
    waiting = Delivery.objects.filter(state=State.WAITING)
    # Of a rule, nothing overtakes what waits longer: "recovered" never comes before "critical".
    # And rules whose receivers are away keep nobody else's notifications back.
    older = waiting.filter(rule=OuterRef("rule"), created__lt=OuterRef("created"))
    found = waiting.filter(~Exists(older), next_try__lte=now).select_related("rule__server")
    return list(found.order_by("next_try")[:AT_ONCE])


def _claimed(one: Delivery, now: datetime.datetime) -> bool:
    """Whether this worker is the one that tries it; others see it as tried."""
    rows = Delivery.objects.filter(pk=one.pk, state=State.WAITING, next_try=one.next_try)
    one.tries += 1
    return bool(rows.update(next_try=now + CLAIM, tries=one.tries))


async def _send(mine: list[Delivery]) -> list[Outcome]:
    return list(await asyncio.gather(*(_tried(one) for one in mine)))


async def _tried(one: Delivery) -> Outcome:
    rule: Rule | None = one.rule
    if rule is None:
        return Outcome("The rule was removed", is_final=True)
    try:
        return await sending.send(rule, one)
    except SecretUnreadable as error:
        return Outcome(str(error)[:300], is_final=True)
    except Exception as error:
        # A fault of ours in one of them must not keep the others back: it is logged, and tried on.
        log.exception("a notification was not sent", delivery=str(one.pk))
        return Outcome(f"A fault of the console: {type(error).__name__}")


def _close(one: Delivery, outcome: Outcome, now: datetime.datetime) -> None:
    gives_up = outcome.is_final or now - one.created > KEEP_TRYING
    rows = Delivery.objects.filter(pk=one.pk, state=State.WAITING)
    if outcome.is_sent:
        rows.update(state=State.SENT, done=timezone.now(), answer=outcome.answer)
    elif gives_up:
        rows.update(state=State.GIVEN_UP, done=timezone.now(), answer=outcome.answer)
    else:
        pause = min(LONGEST, BASE * 2 ** min(one.tries - 1, 12))
        rows.update(next_try=now + datetime.timedelta(seconds=pause), answer=outcome.answer)


def forget(now: datetime.datetime | None = None, days: int = 30) -> int:
    """Remove what was done so many days ago from the log, what is over, and who is forgotten.

    Services are forgotten by the history when there are too many: nobody asks how they stand.
    """
    now = now or timezone.now()
    end = now - datetime.timedelta(days=days)
    Mute.objects.filter(until__lt=now).delete()
    followed = Followed.objects.filter(service=OuterRef("service"))
    Tally.objects.exclude(Exists(followed.filter(server=OuterRef("server")))).delete()
    known = Exists(followed.filter(server=OuterRef("rule__server")))
    Standing.objects.exclude(known).filter(due=None).delete()
    gone, _ = Delivery.objects.exclude(state=State.WAITING).filter(created__lt=end).delete()
    return gone
