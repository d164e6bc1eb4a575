"""Eviction: how a server stands, what each policy would take, and changing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from redis.exceptions import RedisError

from dashboard.caching.eviction import (
    changing,
    coverage,
    hosting,
    lasting,
    plotting,
    settings,
    telling,
)
from dashboard.caching.eviction.changing import SureForm, WantedForm
from dashboard.caching.eviction.models import EvictionChange
from dashboard.caching.eviction.settings import LIMIT, POLICY
from dashboard.servers import counted
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.servers.overview import charts
from redisops.config import Allowed, Config
from redisops.errors import RedisopsError, UnknownResult
from redisops.eviction import POLICIES, Eviction, Standing, forecast, forecasts
from redisops.resilience import diagnose

HISTORY = 20
REWRITTEN = {
    "written": "It is in the configuration file: a restart keeps it.",
    "no file": "The server runs without a configuration file: a restart forgets it.",
    "refused": "This user may not run CONFIG REWRITE: a restart forgets it.",
    "failed": "The configuration file could not be written: a restart forgets it.",
}


@dataclass(frozen=True)
class Note:
    """What stands above a form that did not do what was asked."""

    title: str
    sentence: str = ""
    detail: str = ""
    tone: str = "bad"


@require_safe
@on_server("caching.read")
def eviction(request: HttpRequest, server: Server) -> HttpResponse:
    """Two round trips to the server, one to home. ``limit`` plays another limit."""
    seen = counted.newest(server)
    standing = coverage.weighed(Eviction(server.client()).look(), seen)
    goal, told, wrong = _goal(request, standing)
    plots = plotting.plots(server, plotting.span_of(request.GET.get("range", "")))
    found = forecasts(standing, goal=goal)
    changes = EvictionChange.objects.filter(server=server).select_related("takes_back")
    context: dict[str, Any] = {
        "standing": standing, "rows": telling.rows(standing, found), "goal": goal,
        "supposed": told, "wrong": wrong, "played": next(iter(found.values())).goal,
        "weight": telling.weight(standing), "plots": plots,
        "spans": charts.SPANS.values(), "now": settings.present(standing),
        "lasting": lasting.of(server, standing), "coverage": coverage.of(seen),
        "changes": [_row(one) for one in changes[:HISTORY]], "host": hosting.of(server),
        "may_change": may_here(request, "caching.eviction") and not standing.settings.is_unknown,
        "stays": changing.HOME_STAYS if server.is_home else "",
        "ratio": standing.memory / standing.limit if standing.memory and standing.limit else None,
        "expiring": telling.share(standing.expiring / standing.keys)
        if standing.keys and standing.expiring is not None else None,
    }  # fmt: skip
    response = render(request, "caching/eviction/index.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _goal(request: HttpRequest, standing: Standing) -> tuple[int | None, str, str]:
    """How many bytes have to go under the limit that was asked for; its text; what is wrong."""
    text = request.GET.get("limit", "")[:40].strip()
    if not text:
        return None, "", ""
    try:
        limit = settings.read_size(text)
    except ValueError as error:
        return None, text, str(error)
    return _excess(standing, limit), text, ""


def _excess(standing: Standing, limit: int) -> int | None:
    """Bytes above a limit that each primary is given."""
    known = [shard.memory for shard in standing.shards if shard.memory is not None]
    return sum(max(one - limit, 0) for one in known) if known and limit else 0


def _row(change: EvictionChange) -> dict[str, Any]:
    return {
        "change": change,
        "lines": [line for line in settings.lines(change.before, change.after) if line.is_changed],
        "back": {
            "policy": change.before.get(POLICY, ""),
            "limit": _typed(change.before.get(LIMIT, "")),
        },
    }


def _typed(limit: str) -> str:
    return settings.size_text(int(limit)) if limit.isdigit() else ""


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("caching.eviction")
def change(request: HttpRequest, server: Server) -> HttpResponse:
    """GET asks and shows what would change; POST changes it, once its words are typed."""
    redis = server.client()
    standing = coverage.weighed(Eviction(redis).look(), counted.newest(server))
    present = settings.present(standing)
    back = _taken_back(server, request.POST or request.GET)
    if request.method == "POST":
        form = SureForm(server, present, request.POST)
        if not form.is_valid():
            return _shown(request, server, standing, form, back, status=422)
        return _changed(request, server, standing, form, back)
    policy = request.GET.get("policy") or present.get(POLICY, "")
    note = None
    if server.is_home and policy in POLICIES and POLICIES[policy].evicts:
        note = Note("Home keeps noeviction.", changing.HOME_STAYS, tone="warn")
        policy = "noeviction"
    given = {
        "policy": policy,
        "limit": request.GET.get("limit", _typed(present.get(LIMIT, ""))),
    }
    asked = WantedForm(server, present, given)
    status = 200 if asked.is_valid() or "policy" not in request.GET else 422
    return _shown(request, server, standing, asked, back, note, status=status, present=present)


def _taken_back(server: Server, told: Any) -> EvictionChange | None:
    number = told.get("back", "")
    if not (number.isascii() and number.isdigit() and len(number) < 12):
        return None
    return EvictionChange.objects.filter(server=server, pk=int(number)).first()


def _changed(
    request: HttpRequest, server: Server, standing: Standing, form: SureForm,
    back: EvictionChange | None,
) -> HttpResponse:  # fmt: skip
    present = settings.present(standing)
    if all(present.get(name) == value for name, value in form.wanted.items()):
        note = Note("Nothing was changed.", "It is set so already.", tone="warn")
        return _shown(request, server, standing, form, back, note, status=409)
    try:
        done = changing.change(request, server, present, form, back)
    except changing.Changed:
        note = Note("Nothing was changed.", "Somebody else has changed the settings meanwhile: "
                    "below is what is so now. Look again, and confirm again.")  # fmt: skip
        return _shown(request, server, standing, form, back, note, status=409)
    except UnknownResult:
        messages.warning(request, "Result unknown: it was sent, and the reply was lost. It is not "
                         "sent again by itself. Below is what is set now.")  # fmt: skip
        return redirect("caching:eviction", server.slug)
    except (RedisError, RedisopsError) as error:
        trouble = diagnose(error)
        note = Note("Not changed.", f"{trouble.sentence} {_of_cluster(standing)}", trouble.detail)
        return _shown(request, server, standing, form, back, note, status=503)
    told = f"Eviction of {server.name} is changed."
    if done.row.takes_back_id:
        went = settings.from_to(done.row.before, done.row.after)
        told = f"Rolled back eviction of {server.name}: {went}."
    after = {**standing.settings.values, **done.row.after}
    set_now = replace(standing, settings=replace(standing.settings, values=after, differing={}))
    restart, kept = lasting.of(server, set_now), REWRITTEN.get(done.kept, "")
    if restart.is_same:
        kept = restart.sentence
    words = f"{told} {kept}".strip()
    is_well = restart.is_same or done.kept in ("", "written")
    (messages.success if is_well else messages.warning)(request, words)
    return redirect("caching:eviction", server.slug)


def _of_cluster(standing: Standing) -> str:
    if len(standing.shards) < 2:
        return ""
    return "Other primaries may have taken it: the page shows where they differ."


def _shown(
    request: HttpRequest, server: Server, standing: Standing, form: WantedForm,
    back: EvictionChange | None, note: Note | None = None, *, status: int = 200,
    present: dict[str, str] | None = None,
) -> HttpResponse:  # fmt: skip
    present = settings.present(standing) if present is None else present
    allowed = _allowed(server)
    context: dict[str, Any] = {
        "standing": standing, "form": form, "note": note, "present": present, "back": back,
        "allowed": allowed, "host": hosting.of(server), "policies": POLICIES.values(),
        "takes": telling.TAKES, "is_named": "policy" in request.GET or request.method == "POST",
        "no_file": [one for one in standing.shards if one.config_file == ""],
    }  # fmt: skip
    if form.errors.keys() & {"policy", "limit"}:
        return _answer(request, context, status)
    wanted = form.wanted
    sure = form if isinstance(form, SureForm) else SureForm(server, present)
    found = settings.lines(present, {**present, **wanted})
    limit = int(wanted.get(LIMIT) or present.get(LIMIT) or 0)
    policy = POLICIES.get(wanted.get(POLICY) or present.get(POLICY, ""))
    excess = _excess(standing, limit)
    context |= {
        "lines": found, "is_change": any(line.is_changed for line in found), "sure": sure,
        "excess": excess, "wanted": wanted, "limit": limit, "policy": policy,
        "told": telling.rows(standing, {"": forecast(standing, policy, goal=excess or None)})[0]
        if policy else None,
    }  # fmt: skip
    return _answer(request, context, status)


def _allowed(server: Server) -> Allowed:
    """Whether it may be changed at all; asked last, and never in the way of the page."""
    try:
        return Config(server.client()).allowed()
    except (RedisError, RedisopsError) as error:
        return Allowed(set=str(error), rewrite=str(error))


def _answer(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    response = render(request, "caching/eviction/change.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@on_server("caching.eviction")
def rewrite(request: HttpRequest, server: Server) -> HttpResponse:
    """Write what is set now into the configuration file."""
    present = settings.present(Eviction(server.client()).look(0))
    done = EvictionChange.objects.filter(server=server, result=EvictionChange.Result.DONE)
    last = done.first()
    if last is not None and any(present.get(name) != value for name, value in last.after.items()):
        last = None  # what is written now is not what that change set
    try:
        told = changing.write(request, server, last)
    except UnknownResult:
        messages.warning(request, "Result unknown: CONFIG REWRITE was sent, and its reply was "
                         "lost. Writing it once more does no harm.")  # fmt: skip
        return redirect("caching:eviction", server.slug)
    (messages.success if told == "written" else messages.warning)(request, REWRITTEN[told])
    return redirect("caching:eviction", server.slug)
