"""How long the trouble lasted that a change began or ended: told beside it, where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Case, F, OuterRef, QuerySet, Subquery, Value, When

from dashboard.services.history.models import Change
from dashboard.services.history.spells import has_died
from dashboard.services.history.spells import of as row_of

LOSING = ("missed", "lost")
"""Gaps in which an instance may have come or gone."""


def of(changes: Sequence[Change]) -> dict[int, float]:
    """Seconds by the key of a change: from critical to well, from gone to back.

    Nothing of one that goes on, or where a gap lies between. At most two queries for each of
    beginnings and endings, which ask an index some times for each change: meant for a page.
    """
    begins = [one.pk for one in changes if _begins(one)]
    ends = [one.pk for one in changes if _ends(one)]
    found = _spans(begins, _after, "at") if begins else {}
    return found | (_spans(ends, _before, "-at") if ends else {})


def _begins(change: Change) -> bool:
    return (change.state == "critical" and change.from_state != "critical") or has_died(
        row_of(change)
    )


def _ends(change: Change) -> bool:
    return (change.from_state == "critical" and change.state not in ("critical", "gone")) or (
        change.from_state == "none" and not change.is_gap
    )


def _spans(keys: Sequence[int], other: Any, order: str) -> dict[int, float]:
    """The change at the other end of each, and how far that is away."""
    was = Case(When(from_state="none", then=Value("gone")), default=F("from_state"))
    rows = Change.objects.filter(pk__in=keys).annotate(was=was)
    rows = rows.annotate(other=Subquery(other(order).values("pk")[:1]), gap=Subquery(_gap(order)))
    pairs = [(one, one.other, one.gap) for one in rows]
    others = Change.objects.in_bulk([pk for _, pk, _ in pairs if pk is not None])
    found = {}
    for one, pk, gap in pairs:
        end = others.get(pk)
        if end is None:
            continue
        died = end if order == "-at" and one.from_state == "none" else None
        if died is not None and not has_died(row_of(died)):
            continue  # it left, and came again
        first, last = sorted([one.at, end.at])
        if gap is None or not first <= gap <= last:
            found[one.pk] = (last - first).total_seconds()
    return found


def _same(order: str) -> QuerySet[Change]:
    """Of the same instance, after it or before it."""
    way = {"at__gte": OuterRef("at")} if order == "at" else {"at__lte": OuterRef("at")}
    return (
        Change.objects.filter(
            server=OuterRef("server"), service=OuterRef("service"),
            instance=OuterRef("instance"), **way,
        )
        .exclude(pk=OuterRef("pk"))
        .order_by(order, order.replace("at", "pk"))
    )  # fmt: skip


def _after(order: str) -> QuerySet[Change]:
    """What it came to next."""
    return _same(order).exclude(state=OuterRef("state"))


def _before(order: str) -> QuerySet[Change]:
    """What brought it into the state that it left; ``was`` is that state's name."""
    return _same(order).filter(state=OuterRef("was")).exclude(from_state=F("state"))


def _gap(order: str) -> Any:
    """The nearest gap after it, or before it."""
    way = {"at__gte": OuterRef("at")} if order == "at" else {"at__lte": OuterRef("at")}
    return (
        Change.objects.filter(
            server=OuterRef("server"), service=OuterRef("service"), instance="",
            state__in=LOSING, **way,
        )
        .order_by(order)
        .values("at")[:1]
    )  # fmt: skip
