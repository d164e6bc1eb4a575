"""What a policy in shadow would have done, so that people can decide whether it should."""

from __future__ import annotations

import dataclasses

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.limits import policies
from dashboard.limits.patience import patient
from dashboard.limits.policies.changing import readable
from dashboard.limits.trying.showing import percent
from dashboard.limits.using import reading, showing, spans
from dashboard.limits.using.spans import SPANS, Span, Stretch
from dashboard.publishing import pages
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.servers.overview.charts import Drawing
from dashboard.ui import numbers
from redisops.limits.use import Step, Use

MOSTLY = 10
TOP_MINUTES = 30
POINTS = 300


@require_safe
@on_server("limits.read")
def shadow(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """The share it would have denied, when, and whom mostly. Three round trips.

    Of the time since its last change, unless another range is asked for.
    """
    row = policies.find(server, name)
    stretch = spans.in_shadow(row)
    span: Span | Stretch = SPANS.get(request.GET.get("range", "")) or stretch or SPANS["1h"]
    use = Use(server.client())
    # Who it was is kept by whole minutes: those that the time touches.
    minutes = min(span.seconds // 60 + (2 if span is stretch else 0), TOP_MINUTES)
    with patient():
        steps = span.steps(use, name)
        top = use.top(name, "shadow", MOSTLY, minutes)
    ranking = showing.ranking(top, "Mostly these", minutes)
    context = {
        "policy": row,
        "span": span,
        "stretch": stretch,
        "is_stretch": span is stretch,
        "spans": [stretch, *SPANS.values()] if stretch else list(SPANS.values()),
        "mixed": spans.changes_in(row, span) if isinstance(span, Span) else 0,
        "is_older": span.seconds >= 60 * TOP_MINUTES,
        "ranking": ranking,
        "mostly": sum(entry.count for entry in ranking.entries),
        "drawing": _drawing(_settled(steps, span), span),
        "points": _as_json(_settled(steps, span), span),
        "may_edit": policies.may_edit(request, row),
        **_told(steps),
    }
    return render(request, "limits/using/shadow.html", context)


@require_POST
@on_server("limits.edit")
def enforce(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """From shadow to enforced: a new version of the policy that was seen, published at once."""
    row = policies.find(server, name)
    reason = request.POST.get("reason", "").strip() or "Enforced after its shadow report"
    try:
        new = dataclasses.replace(readable(row), mode="enforce")
        done = policies.change(request, row, new, reason, seen=pages.seen(request, row))
    except policies.Refused as refused:
        messages.error(request, f"Nothing was changed: {refused}")
    except policies.Conflict as conflict:
        messages.warning(request, f"Nothing was changed: {conflict} Read it again first.")
    else:
        (messages.success if done.is_well else messages.warning)(request, done.words)
        return redirect("limits:use", server.slug, name)
    return redirect("limits:shadow", server.slug, name)


def _told(steps: list[Step]) -> dict[str, object]:
    allowed, denied, would = reading.sums(steps)
    total = allowed + denied + would
    share = would / total if total else None
    first = next((step.at for step in steps if sum(step[1:])), None)
    verdict = (
        f"Would have refused {percent(share)} of {numbers.exact(total)} requests"
        if would
        else f"Would have refused none of {numbers.exact(total)} requests"
    )
    return {
        "total": total, "would": would, "denied": denied, "allowed": allowed,
        "share": percent(share), "verdict": verdict, "first": first,
    }  # fmt: skip


def _settled(steps: list[Step], span: Span | Stretch) -> list[Step]:
    """What is drawn: without the newest seconds, which still grow and would look like a fall."""
    grows = span.is_fine and not getattr(span, "until", None) and len(steps) > 2 * reading.SETTLED
    return steps[: -reading.SETTLED] if grows else steps


def _size(steps: list[Step]) -> int:
    return max(-(-len(steps) // POINTS), 1)


def _drawing(steps: list[Step], span: Span | Stretch) -> Drawing:
    return Drawing(showing.PLOT, *_points(steps, span))


def _points(steps: list[Step], span: Span | Stretch) -> tuple[list[int], dict[str, showing.Column]]:
    times, columns = showing.points(steps, _size(steps))
    if not span.is_fine:  # counts of minutes, shown as what they are a second
        columns = {
            name: [None if value is None else value / 60 for value in values]
            for name, values in columns.items()
        }
    return times, columns


def _as_json(steps: list[Step], span: Span | Stretch) -> str:
    times, columns = _points(steps, span)
    width = 1 if span.is_fine else 60
    return showing.plotted(times, columns, _size(steps) * width, span.seconds)
