"""Reading the audit: search, one entry, and the whole of it as a file."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from dashboard.audit import actions, exporting, verifying
from dashboard.audit.forms import FilterForm
from dashboard.audit.models import Entry, Result
from dashboard.audit.visible_servers import entries_for
from dashboard.audit.writing import record
from dashboard.ui import answers

PAGE = 50
# Names offered while typing in the filter come from so many of the last entries.
RECENT = 1_000


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The newest entries that match, fifty at a time; htmx gets the list alone."""
    visible = entries_for(request.user)
    form = FilterForm(request.GET)
    if not form.is_valid():
        return _answer(request, {"form": form, "entries": []}, status=422)
    before = request.GET.get("before", "")
    found = form.narrow(visible)
    if before.isdecimal():
        found = found.filter(number__lt=min(int(before), 2**63 - 1))
    rows = list(found[: PAGE + 1])
    context = {
        "form": form,
        "entries": rows[:PAGE],
        "next": rows[PAGE - 1].number if len(rows) > PAGE else None,
        "before": before,
        "query_string": form.query_string,
    }
    return _answer(request, context, visible=visible)


def _answer(
    request: HttpRequest,
    context: dict[str, Any],
    *,
    visible: QuerySet[Entry] | None = None,
    status: int = 200,
) -> HttpResponse:
    is_fragment = answers.is_htmx(request)
    if not is_fragment and visible is not None:
        context |= {"names": _names(visible), "day": _last_day(visible)}
        context["is_whole"] = verifying.end_is_whole()
    template = "audit/_entries.html" if is_fragment else "audit/index.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _names(visible: QuerySet[Entry]) -> dict[str, list[str]]:
    recent = list(visible.values_list("actor", "server", "action")[:RECENT])
    columns = zip(*recent, strict=True) if recent else ((), (), ())
    actors, servers, codes = (sorted(set(column) - {""}) for column in columns)
    titles = sorted({actions.title(code) for code in codes})
    return {"who": actors, "server": servers, "action": titles}


def _last_day(visible: QuerySet[Entry]) -> dict[str, int]:
    """How many changes of each result in the last 24 hours."""
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    changes = visible.exclude(action__in=actions.without_change())
    results = changes.filter(at__gte=since).values_list("result", flat=True)
    counted = {str(result): 0 for result in Result}
    for result in results[:10_000]:
        counted[result] += 1
    return counted


@dataclass(frozen=True)
class Change:
    """One field before and after; None where it was not there."""

    name: str
    before: Any
    after: Any

    @property
    def is_same(self) -> bool:
        return bool(self.before == self.after)


@require_safe
def show(request: HttpRequest, number: int) -> HttpResponse:
    """One entry in full, with the other half when it is an intention or an outcome."""
    visible = entries_for(request.user)
    entry = get_object_or_404(visible, number=min(number, 2**63 - 1))
    intent = visible.filter(number=entry.intent).first() if entry.intent else None
    outcome = visible.filter(intent=entry.number).first()
    before = entry.before if entry.before is not None else (intent and intent.before)
    context = {
        "entry": entry,
        "intent": intent,
        "outcome": outcome,
        "changes": _changes(before, entry.after),
    }
    return render(request, "audit/show.html", context)


def _changes(before: Any, after: Any) -> list[Change]:
    if before is None and after is None:
        return []
    if isinstance(before, dict | None) and isinstance(after, dict | None):
        old, new = before or {}, after or {}
        names = [*old, *(name for name in new if name not in old)]
        return [Change(name, old.get(name), new.get(name)) for name in names]
    return [Change("value", before, after)]


@require_POST
def export(request: HttpRequest) -> HttpResponseBase:
    """What matches the filter as a file. The export is an entry of the audit itself."""
    form = FilterForm(request.POST)
    how = "jsonl" if request.POST.get("format") == "jsonl" else "csv"
    if not form.is_valid():
        problems = (f"{form.fields[name].label}: {said[0]}" for name, said in form.errors.items())
        return answers.error(
            request,
            400,
            title="Nothing was exported",
            sentence="The filter is not right. " + " ".join(problems),
        )
    told = {name: value for name, value in form.cleaned_data.items() if value}
    entry = record(request, "audit.export", target=f"{how} of the audit", after=told or None)
    found = form.narrow(entries_for(request.user)).filter(number__lte=entry.number)
    name = f"redisops-audit-{entry.at:%Y%m%dT%H%M%SZ}"
    return exporting.response(request, found, how, name)
