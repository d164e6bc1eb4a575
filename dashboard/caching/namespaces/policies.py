"""How a namespace caches, decided in the browser: edit, compare, roll back, give back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.caching.namespaces import changing, coding, publishing, saying, suggesting
from dashboard.caching.namespaces.coding import Told
from dashboard.caching.namespaces.forms import PolicyForm
from dashboard.caching.namespaces.models import CachePolicy, CachePolicyVersion
from dashboard.caching.namespaces.saying import CACHES
from dashboard.caching.namespaces.views import answer, named, present
from dashboard.publishing import pages
from dashboard.publishing.models import What
from dashboard.publishing.versions import Conflict, Refused, readable
from dashboard.servers.access import may, on_server
from dashboard.servers.models import Server
from redisops.cache import Policy


@require_safe
@on_server("caching.read")
def policy(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """The policy as a sentence and a form; for those who may not change it as a list.

    ``suggest`` is what advice would change: the form begins with it.
    """
    row = changing.find(server, named(namespace))
    return _shown(request, server, namespace, row, None)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("caching.change")
def save(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """Save what was typed as a new version, unless somebody was quicker."""
    if request.method != "POST":
        return redirect("caching:policy", server.slug, named(namespace))
    row = changing.find(server, named(namespace))
    form = PolicyForm(_held(row) or Policy(namespace), request.POST)
    if not form.is_valid() or form.policy is None:
        return _shown(request, server, namespace, row, form, status=422)
    seen = form.cleaned_data["seen"] or 0
    what = What.CHANGE if seen else What.CREATE
    if row is not None and row.archived and seen:
        what = What.RESTORE
    try:
        done = changing.decide(
            request, server, form.policy, what, form.cleaned_data["reason"], seen=seen
        )
    except Refused as error:
        for field, sentence in error.problems:
            form.add_error(field if field in form.fields else None, sentence)
        return _shown(request, server, namespace, row, form, status=422)
    except Conflict as error:
        return _shown(
            request, server, namespace, error.policy, form, status=409, typed=form.policy,
            seen=error.seen,
        )  # fmt: skip
    return pages.after(request, done)


@require_safe
@on_server("caching.read")
def sentence(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """What is being typed, in words, and which fields it changes."""
    held = _held(changing.find(server, named(namespace)))
    told = Told() if held else coding.told(server, namespace)
    form = PolicyForm(held or Policy(namespace), request.GET)
    form.is_valid()
    context = {"form": form, "is_live": True, **_words(form, held, told)}
    return render(request, "caching/namespaces/_say.html", context)


@require_safe
@on_server("caching.read")
def versions(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """Author, time and reason of each, with the fields it changed; ``from`` compares with now."""
    row = _row(server, namespace)
    context = {
        "namespace": namespace, "row": row,
        "may_roll_back": may(request.user, "caching.change", server),
        **pages.versions(request, row, CACHES),
    }  # fmt: skip
    return answer(request, "caching/namespaces/versions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("caching.change")
def roll_back(request: HttpRequest, server: Server, namespace: str, number: int) -> HttpResponse:
    """The settings of that version as a new one, history only grows; asks first."""
    row = _row(server, namespace)
    to = get_object_or_404(CachePolicyVersion, policy=row, number=number)
    new, broken = readable(to)
    if new is None:
        messages.error(request, f"Version {number}: {broken} Nothing was changed.")
        return redirect("caching:versions", server.slug, namespace)
    if request.method != "POST":
        return answer(
            request, "caching/namespaces/roll_back.html",
            {"namespace": namespace, **pages.way_back(row, to, _held(row), new, CACHES)},
        )  # fmt: skip
    why = request.POST.get("reason", "") or f"back to version {number}"
    what = What.RESTORE if row.archived else What.ROLL_BACK
    return pages.act(
        request, row, lambda seen: changing.decide(request, server, new, what, why, seen=seen)
    )


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("caching.change")
def give_back(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """Let the services' code say again how it caches; asks first, the versions stay."""
    row = _row(server, namespace)
    if request.method != "POST":
        code = coding.told(server, namespace).code
        return answer(
            request, "caching/namespaces/give_back.html",
            {"namespace": namespace, "row": row, "said": saying.said(_held(row)),
             "after": saying.said(code.policy) if code else None},
        )  # fmt: skip
    held = readable(row)[0] or Policy(namespace)
    why = request.POST.get("reason", "")
    return pages.act(
        request, row,
        lambda seen: changing.decide(request, server, held, What.ARCHIVE, why, seen=seen),
    )  # fmt: skip


# --- What they share --------------------------------------------------------------------------


def _row(server: Server, namespace: str) -> CachePolicy:
    row = changing.find(server, named(namespace))
    if row is None:
        raise Http404(f"nothing is decided on {namespace}")
    return row


def _held(row: CachePolicy | None) -> Policy | None:
    """The policy that people decided and that holds; None where the code's own does."""
    return readable(row)[0] if row is not None and not row.archived else None


def _words(form: PolicyForm, held: Policy | None, told: Told) -> dict[str, Any]:
    """What is typed in words, as far as it can be read; else what holds, said to be that.

    Where nothing is decided and no service told what its code says, nothing is said of it.
    """
    typed, code = form.policy if form.is_bound else None, told.code
    before = held or (code.policy if code else None)
    return {
        "said": saying.said(typed or before), "code": code, "told": told,
        "is_typed": typed is not None, "is_held": held is not None,
        "is_known": before is not None,
        "changes": CACHES.changed(before, typed) if typed is not None and before else [],
    }  # fmt: skip


def _shown(
    request: HttpRequest, server: Server, namespace: str, row: CachePolicy | None,
    form: PolicyForm | None, *, status: int = 200, typed: Policy | None = None, seen: int = 0,
) -> HttpResponse:  # fmt: skip
    held = _held(row)
    told = Told() if held else coding.told(server, namespace)
    code = told.code
    base = held or (code.policy if code else Policy(namespace))
    may_change, advised = may(request.user, "caching.change", server), None
    if form is None:
        seen_now = row.version if row else 0
        if may_change:
            advised = suggesting.suggested(request.GET.get("suggest", ""), base)
        form = PolicyForm(advised[1] if advised else base, seen=seen_now)
    context: dict[str, Any] = {
        "namespace": namespace, "row": row, "form": form, "held": held,
        "broken": readable(row)[1] if row else "",
        "last": row.versions.first() if row else None,
        "state": publishing.state(server),
        "may_change": may_change,
        "lines": CACHES.lines(None, held or base) if held or code else [],
        **_words(form, held, told),
        **present(server, namespace),
    }  # fmt: skip
    if advised is not None:
        before = held or (code.policy if code else None)
        context |= {
            "advised": advised[0], "said": saying.said(advised[1]), "is_typed": True,
            "changes": CACHES.changed(before or base, advised[1]),
        }  # fmt: skip
    if typed is not None:
        made_from = row.versions.filter(number=seen).first() if row else None
        was = readable(made_from)[0] if made_from else None
        context |= {"conflict": CACHES.conflict(was, held, typed), "seen": seen}
    return answer(request, "caching/namespaces/policy.html", context, status)
