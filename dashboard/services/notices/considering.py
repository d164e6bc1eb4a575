"""What happened goes into the tallies in the transaction that keeps it: nothing is lost between."""

from __future__ import annotations

import datetime
import fnmatch
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Q
from django.utils import timezone

from dashboard.services.history.bounds import chunks
from dashboard.services.history.models import Change
from dashboard.services.notices import weighing
from dashboard.services.notices.models import Rule, Standing, Tally


def consider(changes: Sequence[Change], now: datetime.datetime | None = None) -> None:
    """Fold new rows of the history, and have every rule that matches looked at after its wait.

    Call it in the transaction that wrote the rows. Five statements for each 500 services with
    trouble, one for each server, and one where all is well. The rows of a service are in their
    order. Sends nothing.
    """
    by_service: dict[tuple[int, str], list[Change]] = defaultdict(list)
    for change in changes:
        by_service[change.server_id, change.service].append(change)
    if not by_service:
        return
    now = now or timezone.now()
    known = _tallies(list(by_service))
    turned, touched = set(), []
    for place, several in by_service.items():
        if place not in known and not any(map(weighing.is_trouble, several)):
            continue  # of who was never in trouble nothing is kept
        tally = known.get(place) or Tally(server_id=place[0], service=place[1])
        tally.entries = weighing.pass_over(tally.entries, now.timestamp() - weighing.DAY)
        if _fold(tally, several):
            tally.turned = now
            turned.add(place)
        tally.pk = None  # the names find it
        touched.append(tally)
    Tally.objects.bulk_create(
        touched, update_conflicts=True, unique_fields=["server", "service"],
        update_fields=["epoch", "version", "entries", "turned"],
    )  # fmt: skip
    _mark(turned, now)


def _tallies(places: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Tally]:
    found: dict[tuple[int, str], Tally] = {}
    for part in chunks(places):
        rows = Tally.objects.select_for_update().filter(
            server__in={server for server, _ in part}, service__in={name for _, name in part}
        )
        found |= {(row.server_id, row.service): row for row in rows.order_by("pk")}
    return found


def _fold(tally: Tally, several: list[Change]) -> bool:
    """Apply what is new to it; whether anybody's trouble changed."""
    changed = False
    for change in several:
        if change.is_gap and change.state == "unwatched":
            continue
        if change.epoch == tally.epoch and change.version <= tally.version:
            continue  # another collector brought it
        tally.epoch, tally.version = change.epoch, change.version
        changed |= weighing.fold(tally.entries, change)
    return changed


def _mark(places: Iterable[tuple[int, str]], now: datetime.datetime) -> None:
    """Have the rules that match look, each after its wait; who waits already is not put off."""
    places = list(places)
    rules = Rule.objects.filter(server__in={server for server, _ in places}, paused=False)
    wanted = [
        Standing(rule=rule, service=service, due=now + datetime.timedelta(seconds=rule.wait))
        for rule in rules
        for server, service in places
        if rule.server_id == server and matches(rule, service)
    ]
    Standing.objects.bulk_create(wanted, ignore_conflicts=True)
    for wait in {one.rule.wait for one in wanted}:
        due = now + datetime.timedelta(seconds=wait)
        for mine in chunks([one for one in wanted if one.rule.wait == wait]):
            rows = Standing.objects.filter(
                rule__in={one.rule_id for one in mine}, service__in={one.service for one in mine}
            )
            rows.filter(Q(due=None) | Q(due__gt=due)).update(due=due)


def look_at_once(rule: Rule) -> None:
    """A rule that is new or changed is told of what is in trouble already."""
    now = timezone.now()
    tallies = Tally.objects.filter(server=rule.server_id).exclude(entries={})
    found = [name for name in tallies.values_list("service", flat=True) if matches(rule, name)]
    Standing.objects.bulk_create(
        [Standing(rule=rule, service=name, due=now) for name in found], ignore_conflicts=True
    )
    Standing.objects.filter(rule=rule).update(due=now)


def matches(rule: Rule, service: str) -> bool:
    """Whether the rule is for a service of this name."""
    return fnmatch.fnmatchcase(service, rule.pattern)
