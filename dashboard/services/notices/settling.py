"""Who is told what: due standings become deliveries, once each, in one transaction."""

from __future__ import annotations

import datetime
from collections import defaultdict
from typing import Any

import redis
import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dashboard.servers.secrets import SecretUnreadable
from dashboard.services.history.bounds import chunks
from dashboard.services.notices import beyond, muted, weighing
from dashboard.services.notices.models import RANKS, Delivery, Rule, Standing, Tally
from dashboard.services.notices.muted import Muted
from dashboard.services.notices.weighing import Weight
from dashboard.ui.numbers import duration
from redisops.errors import RedisopsError
from redisops.resilience import deadline
from redisops.services import Reading, Registry
from redisops.services.model import ROUTED

log = structlog.get_logger(__name__)

AT_ONCE = 5_000
"""Standings of one look."""
SINGLY = 10
"""Services that a rule's place is told of one by one; of more at once it is told in one."""
FLAPS, FLAP_WINDOW = 4, datetime.timedelta(minutes=30)
"""So many new troubles within the window are told as flapping, then nothing ..."""
STEADY = datetime.timedelta(minutes=10)
"""... until nobody's trouble changed for so long."""
READ_SECONDS = 1.0
HELD = datetime.timedelta(minutes=1)
"""How long what cannot be known waits where console work is stopped, before the next look."""


def settle(now: datetime.datetime | None = None) -> int:
    """Look at what is due; how many notifications were written.

    A rule to which more than ``SINGLY`` services are due is told of them in one; of fewer, each is
    read once, to say how many instances there are.
    """
    now = now or timezone.now()
    due = Standing.objects.filter(due__lte=now).order_by("due", "pk").select_related("rule__server")
    told, readings = 0, Readings()
    by_rule: dict[int, list[Standing]] = defaultdict(list)
    for standing in due[:AT_ONCE]:
        by_rule[standing.rule_id].append(standing)
    for several in by_rule.values():
        if len(several) > SINGLY:
            told += _settle_together(several, now, readings)
        else:
            told += sum(_settle(standing, now, readings) for standing in several)
    return told


class Readings:
    """Services as they are now, each asked once; a server that does not answer is left alone."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], Reading | None] = {}
        self._silent: set[int] = set()

    def of(self, rule: Rule, service: str) -> Reading | None:
        place = (rule.server_id, service)
        stopped = rule.server.is_stopped
        if place not in self._known and rule.server_id not in self._silent and not stopped:
            try:
                with deadline(READ_SECONDS):
                    self._known[place] = Registry(rule.server.client()).read(service)
            except (redis.RedisError, RedisopsError, SecretUnreadable, OSError) as error:
                # It is told all the same, without how many there are.
                log.warning("not read for a notification", service=service, error=str(error))
                self._silent.add(rule.server_id)
        return self._known.get(place)


def _settle(seen: Standing, now: datetime.datetime, readings: Readings) -> int:
    rule = seen.rule
    reading = None if rule.paused else readings.of(rule, seen.service)
    with transaction.atomic():
        standing = Standing.objects.select_for_update().filter(pk=seen.pk, due=seen.due).first()
        if standing is None:  # another worker did, or it was put off meanwhile
            return 0
        standing.rule = rule
        tally = Tally.objects.filter(server=rule.server_id, service=seen.service).first()
        mutes = muted.of(rule.server_id, seen.service, now)
        what, weight, turned = _decide(standing, tally, reading, mutes, now)
        if what:
            _write(standing, rule, what, weight, now)
        _next(standing, rule, weight, turned)
        standing.save()
    return int(bool(what))


def _settle_together(seen: list[Standing], now: datetime.datetime, readings: Readings) -> int:
    """Those of one rule that are due, in one transaction and in one notification of each kind.

    Services of which some are only counted are read, so that a count is right in the end.
    """
    rule, names = seen[0].rule, [one.service for one in seen]
    counted: dict[str, Reading | None] = {}
    for part_of in () if rule.paused else chunks(names):
        rows = Tally.objects.filter(server=rule.server_id, service__in=part_of)
        for name in rows.filter(entries__has_any_keys=beyond.NAMES).values_list("service"):
            counted[name[0]] = readings.of(rule, name[0])
    told: dict[str, list[tuple[Standing, Weight]]] = defaultdict(list)
    with transaction.atomic():
        dues = {one.pk: one.due for one in seen}
        standings: list[Standing] = []
        tallies: dict[str, Tally] = {}
        for part in chunks(seen):
            locked = Standing.objects.select_for_update().filter(pk__in=[one.pk for one in part])
            standings += [one for one in locked if one.due == dues[one.pk]]
        for some in chunks(names):
            rows = Tally.objects.filter(server=rule.server_id, service__in=some)
            tallies |= {row.service: row for row in rows}
        mutes = muted.all_of(rule.server_id, now)
        for standing in standings:
            standing.rule = rule
            mine = mutes.get(standing.service, Muted(None, {}))
            what, weight, turned = _decide(
                standing, tallies.get(standing.service), counted.get(standing.service), mine, now
            )
            if what:
                told[weighing.TOGETHER[what]].append((standing, weight))
                _told(standing, weight, now)
            _next(standing, rule, weight, turned)
        for kind, several in told.items():
            weights = [weight for _, weight in several]
            enqueue(rule, kind, weighing.title_of_many(kind, weights),
                    weighing.body_of_many(weights), now)  # fmt: skip
        Standing.objects.bulk_update(
            standings, ["due", "told", "told_at", "begun", "turns", "flapping"], batch_size=100
        )
    return len(told)


def _decide(
    standing: Standing, tally: Tally | None, reading: Reading | None, mutes: Muted,
    now: datetime.datetime,
) -> tuple[str, Weight, datetime.datetime]:  # fmt: skip
    """What is to be told now ("" for nothing), of what, and when it turned last; sets ``due``."""
    rule, standing.due = standing.rule, None
    what, weight, turned = "", Weight(standing.service), now
    until = rule.quiet_until(now)
    if not rule.paused:
        weight, turned = _weigh(standing, tally, reading, mutes, now)
        # Who was woken hears of the end, too.
        loud = rule.critical_passes and "critical" in (weight.worst, standing.told)
        if mutes.service is not None:
            standing.due = mutes.service
        elif until is not None and not loud:
            standing.due = until
        elif rule.server.is_stopped and _is_old(standing, weight):
            standing.due = now + HELD
        elif standing.told and not weight.worst and weight.muted:
            pass  # it is not over: only nobody is told
        else:
            what = _what(standing, weight, now, turned)
    return what, weight, turned


def _is_old(standing: Standing, weight: Weight) -> bool:
    """Whether there is nothing that was noticed before console work was stopped.

    A reminder, that somebody did not come back, that a service is steady: nobody can tell.
    """
    if standing.flapping:
        return True
    worst, told = weight.worst, standing.told
    return bool(weight.missing) if told and not worst else RANKS[worst] <= RANKS[told]


def _weigh(
    standing: Standing, tally: Tally | None, reading: Reading | None, mutes: Muted,
    now: datetime.datetime,
) -> tuple[Weight, datetime.datetime]:  # fmt: skip
    rule, service = standing.rule, standing.service
    if tally is None:
        return Weight(service), now
    entries = tally.entries if reading is None else weighing.confirm(tally.entries, reading)
    told = standing.told_at.timestamp() if standing.told_at else now.timestamp()
    # Where work is stopped, time passes that nobody saw.
    seen = min(now, rule.server.stopped_at or now)
    waited_for = weighing.pass_over(entries, seen.timestamp())
    recent = weighing.pass_over(entries, told)
    missing = sum(
        beyond.count(recent[id])
        for id in recent.keys() - waited_for.keys()
        if recent[id][0] == "gone"
    )
    ends = [mutes.instances[id] for id in waited_for.keys() & mutes.instances.keys()]
    entries = {id: one for id, one in waited_for.items() if id not in mutes.instances}
    total = None
    if reading is not None:
        there = {one.id for one in reading.instances}
        gone = sum(beyond.count(one) for id, one in waited_for.items() if beyond.is_count(id))
        total = len(there | {id for id in waited_for if not beyond.is_count(id)}) + gone
    might = [] if reading is None else [one for one in reading.instances if one.state in ROUTED]
    is_silent = bool(might) and all(one.suspect for one in might)
    weight = Weight(service, entries, total, missing, min(ends, default=None), is_silent)
    return weight.for_severity(rule.severity), tally.turned


def _what(
    standing: Standing, weight: Weight, now: datetime.datetime, turned: datetime.datetime
) -> str:
    """What is to be told now, "" for nothing; counts how often trouble began."""
    worst, told = weight.worst, standing.told
    if standing.flapping:
        if now < turned + STEADY:
            return ""
        standing.flapping, standing.turns = False, []
        return "steady"
    if worst and not told:
        since = (now - FLAP_WINDOW).timestamp()
        standing.turns = [*(one for one in standing.turns if one > since), now.timestamp()]
        standing.flapping = len(standing.turns) >= FLAPS
        return "flapping" if standing.flapping else "problem"
    if told and not worst:
        return "closed" if weight.missing else "recovered"
    if RANKS[worst] > RANKS[told]:
        return "worse"
    remind = datetime.timedelta(minutes=standing.rule.remind)
    if worst and remind and standing.told_at and now >= standing.told_at + remind:
        return "reminder"
    return ""


def _next(standing: Standing, rule: Rule, weight: Weight, turned: datetime.datetime) -> None:
    """When to look again by itself: nothing happens, and still something is to be said."""
    if standing.due is not None or rule.paused:
        return
    ends = []
    if standing.flapping:
        ends.append(turned + STEADY)
    if weight.worst and rule.remind and standing.told_at:
        ends.append(standing.told_at + datetime.timedelta(minutes=rule.remind))
    if weight.muted is not None:
        ends.append(weight.muted)
    over = weighing.next_end(weight.entries)
    if over is not None:
        ends.append(datetime.datetime.fromtimestamp(over + 1, datetime.UTC))
    standing.due = min(ends, default=None)


def _write(
    standing: Standing, rule: Rule, what: str, weight: Weight, now: datetime.datetime
) -> None:
    begun = _begun(standing, weight, now)
    title = weighing.title(what, weight, duration((now - begun).total_seconds()))
    enqueue(rule, what, title, _body(weight), now)
    _told(standing, weight, now)


def _begun(standing: Standing, weight: Weight, now: datetime.datetime) -> datetime.datetime:
    first = min((entry[1] for entry in weight.entries.values()), default=now.timestamp())
    return standing.begun or datetime.datetime.fromtimestamp(first, datetime.UTC)


def _told(standing: Standing, weight: Weight, now: datetime.datetime) -> None:
    standing.begun = _begun(standing, weight, now) if weight.worst else None
    standing.told, standing.told_at = weight.worst, now


def _body(weight: Weight) -> dict[str, Any]:
    named = weighing.instances(weight.entries)
    return {
        "service": weight.service,
        "severity": weight.worst,
        "counts": {**weight.counts, "total": weight.total},
        "instances": named,
        "more": sum(weight.counts.values()) - len(named),
    }


def enqueue(
    rule: Rule, what: str, title: str, body: dict[str, Any], now: datetime.datetime | None = None
) -> Delivery:
    """Write one notification into the outbox, in the transaction of whatever it tells of."""
    server, now = rule.server, now or timezone.now()
    service = str(body.get("service", ""))
    path = f"{server.get_absolute_url()}services/{f'{service}/' if service else ''}"
    said = {
        "type": what, "title": title[:300], "rule": rule.name,
        "server": {"slug": server.slug, "name": server.name,
                   "environment": server.get_environment_display()},
        **body,
        "at": weighing.iso(now.timestamp()),
    }  # fmt: skip
    if settings.CONSOLE_URL:
        said["url"] = f"{settings.CONSOLE_URL.rstrip('/')}{path}"
    return Delivery.objects.create(
        server=server, rule=rule, rule_name=rule.name, place=rule.place, service=service,
        what=what, severity=body.get("severity", ""), title=title[:300], body=said,
        created=now, next_try=now,
    )  # fmt: skip
