"""The fleet, and one server's overview."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import redis
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard.audit.visible_servers import changes_for
from dashboard.servers.access import may, on_server, servers_for
from dashboard.servers.models import Server
from dashboard.servers.overview import charts, happenings
from dashboard.servers.overview import figures as overview
from dashboard.servers.overview import fleet as fleet_rows
from dashboard.servers.overview.charts import Span
from dashboard.servers.sampling import sampler, samples
from dashboard.servers.sampling.samples import Snapshot
from dashboard.servers.trouble import advice
from redisops.errors import RedisopsError
from redisops.resilience import Cause, Trouble, deadline
from redisops.series import Row

HISTORY_SECONDS = 1.0
TRIES = Span("tries", "15 min", 900, 6)
CHANGES = 5


@require_safe
def fleet(request: HttpRequest) -> HttpResponse:
    """All servers of the person, worst first; htmx polls it with the version it shows."""
    sort = request.GET.get("sort", "")
    servers = list(servers_for(request.user).filter(withdrawn=None))
    known = sampler.current(servers)
    held = [slug for slug in request.GET.get("hold", "").split(",") if slug][:1000]
    rows = fleet_rows.rows(servers, known.snapshots, sort=sort, held=held)
    context = {
        "rows": rows,
        "needs": [row for row in rows if row.verdict.problems],
        "sentence": fleet_rows.sentence(rows),
        "without": known.without,
        "sort": sort if sort in fleet_rows.SORTS else "",
        "may_add": may(request.user, "servers.create", None),
        "changes": changes_for(request.user).exclude(result="intent")[:CHANGES],
    }
    if not request.headers.get("HX-Request"):
        return render(request, "servers/fleet.html", context)
    fragment = render_to_string("servers/_fleet.html", context, request)
    version = sha256(fragment.encode()).hexdigest()[:16]
    if version == request.GET.get("version"):
        return HttpResponse(status=204)
    response = render(request, "servers/_fleet.html", {**context, "version": version})
    patch_vary_headers(response, ["HX-Request"])
    return response


@dataclass(frozen=True)
class History:
    """A span of figures; ``missing`` says in words why there are none."""

    span: Span
    rows: list[Row]
    missing: str = ""


@require_safe
@on_server("servers.view")
def show(request: HttpRequest, server: Server) -> HttpResponse:
    """One server at a glance; sockets keep it moving, without JavaScript it is as of now."""
    now = time.time()
    history = _history(server, _span(request), now)
    known = sampler.current([server])
    snapshot = known.snapshots.get(server.pk, Snapshot())
    found = happenings.of(server, snapshot, now - history.span.seconds)
    context = overview.context(server, snapshot, now) | {
        "span": history.span,
        "spans": charts.SPANS.values(),
        "drawings": charts.drawings(history.rows, history.span, now),
        "history_missing": history.missing,
        "without": known.without,
        "slowest": happenings.slowest(server, snapshot),
        "happenings": found,
        "tries": _tries(server, snapshot, now),
        "steps": _steps(server, snapshot),
        "may_edit": may(request.user, "servers.change", server),
    }
    return render(request, "servers/show.html", context)


@require_safe
@on_server("servers.view")
def series(request: HttpRequest, server: Server) -> HttpResponse:
    """What the page's script plots: the span as columns, and the id to follow from."""
    now = time.time()
    history = _history(server, _span(request), now)
    data = charts.as_json(history.rows, history.span, now, _marks(server, history.span, now))
    response = JsonResponse(data | {"missing": history.missing})
    response["Cache-Control"] = "no-store"
    return response


def _span(request: HttpRequest) -> Span:
    return charts.SPANS.get(request.GET.get("range", ""), charts.SPANS[charts.USUAL])


def _history(server: Server, span: Span, now: float) -> History:
    """The figures that home holds; without home the page goes on without them."""
    try:
        with deadline(HISTORY_SECONDS):
            reading = samples.series().read(
                samples.name(server), now - span.seconds, now, span.step
            )
    except (redis.RedisError, RedisopsError):
        return History(
            span, [], "The console's own Redis, which keeps the history, does not answer."
        )
    return History(span, reading.rows)


def _marks(server: Server, span: Span, now: float) -> list[dict[str, Any]]:
    """Events as dashed lines with a word; only what SQL and the snapshot already know."""
    try:
        with deadline(HISTORY_SECONDS):
            snapshot = samples.snapshots([server]).get(server.pk, Snapshot())
    except (redis.RedisError, RedisopsError):
        snapshot = Snapshot()
    found = happenings.of(server, snapshot, now - span.seconds)
    return [{"at": one.at, "word": one.mark} for one in found if one.mark]


def _tries(server: Server, snapshot: Snapshot, now: float) -> list[tuple[int, Row | None]]:
    """Fifteen minutes of looks, for the strip that shows since when they fail; [] while well."""
    if snapshot.failing is None:
        return []
    seen = {row.at: row for row in _history(server, TRIES, now).rows}
    return [(at, seen.get(at)) for at in charts.grid(TRIES, now)]


def _steps(server: Server, snapshot: Snapshot) -> list[advice.Step]:
    failing = snapshot.failing
    if failing is None or failing["cause"] not in set(Cause):
        return []
    trouble = Trouble(
        Cause(failing["cause"]), failing["sentence"], failing["next"], failing["detail"]
    )
    since = happenings.moment(failing["since"])
    return advice.steps(trouble, server, since)
