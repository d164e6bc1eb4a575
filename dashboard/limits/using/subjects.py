"""Look at one subject under every policy; give it everything back, exempt it, ban it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import Truncator
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.audit import recording
from dashboard.limits import policies
from dashboard.limits.policies import rights
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.using import deciding, standing
from dashboard.publishing.versions import readable
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.limits.policies import Policy
from redisops.limits.subjects import is_secret

LONGEST_URL = 1_000  # bytes of a subject that an address still takes; longer ones are posted
LONGEST = 1_000_000


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.read")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Asks whom to look at; a POST leads to the subject's page, or shows it itself.

    It does so with a long one, and with one that is typed where a policy counts by a secret.
    """
    if request.method != "POST":
        return render(request, "limits/using/subjects.html", {})
    encoded = request.POST.get("encoded", "")
    typed = request.POST.get("subject", "")
    subject = _decoded(encoded) if encoded else typed.encode("utf-8", "surrogatepass")
    if not subject or len(subject) > LONGEST:
        wrong = "Say whom to look at." if not subject else "A subject is at most 1 MB long."
        return render(request, "limits/using/subjects.html", {"wrong": wrong}, status=422)
    if len(subject) <= LONGEST_URL and (encoded or not _counts_secrets(server)):
        return redirect("limits:subject", server.slug, keys.to_url(subject))
    return _page(request, server, subject)


@require_safe
@on_server("limits.read")
def show(request: HttpRequest, server: Server, subject: str) -> HttpResponse:
    """How one subject stands now."""
    return _page(request, server, _decoded(subject))


@require_POST
@on_server("limits.edit")
def reset(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Give the subject everything back under one policy; its use stays counted."""
    _, policy, subject = _wanted(request, server, name)
    limit, counted = policy.as_limit(), standing.counted(policy, subject)
    target = f"{name}, {standing.printable(subject)}"
    with recording(request, "limits.reset", server=server.slug, target=target) as told:
        if policy.algorithm == "concurrency":
            was = standing.concurrency(server).reset(limit, counted)
        else:
            was = standing.limiter(server).reset(limit, counted)
        told.after = {"had spent anything": was}
    words = "has everything back" if was else "had spent nothing"
    messages.success(request, f"{_short(subject)} {words} under {name}.")
    return _back(request, server, subject)


@require_POST
@on_server("limits.edit")
def make_exception(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Exempt or ban the subject for a time: a new version of the policy, published at once."""
    row, policy, subject = _wanted(request, server, name)
    written = standing.text_of(subject)
    reason = " ".join(request.POST.get("reason", "").split())[:500]
    if written is None or standing.is_digest(subject):
        messages.error(
            request, "Nothing was changed: its name is not text that a policy could hold."
        )
        return _back(request, server, subject)
    try:
        lasts, how_long = deciding.lasting(request.POST.get("lasts", ""))
    except ValueError as error:
        messages.error(request, f"Nothing was changed: {error}.")
        return _back(request, server, subject, row)
    if request.POST.get("do") == "ban":
        if not reason:
            messages.error(request, "Nothing was changed: a ban needs a reason.")
            return _back(request, server, subject, row)
        new = deciding.banned(policy, written, lasts, reason)
        why = f"Ban {_short(subject)} for {how_long}: {reason}"
    else:
        new = deciding.exempted(policy, written, lasts)
        why = f"Exempt {_short(subject)} for {how_long}" + (f": {reason}" if reason else "")
    return _change(request, server, row, new, subject, why)


@require_POST
@on_server("limits.edit")
def lift(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """End an exemption or a ban before its time."""
    row, policy, subject = _wanted(request, server, name)
    written = standing.text_of(subject)
    if written is None:
        raise Http404("no policy holds such a subject")
    new = deciding.lifted(policy, written)
    why = f"End the exception for {_short(subject)}"
    return _change(request, server, row, new, subject, why)


def _change(
    request: HttpRequest, server: Server, row: LimitPolicy, new: Policy, subject: bytes, why: str
) -> HttpResponse:
    try:
        done = policies.change(request, row, new, why)
    except policies.Refused as refused:
        messages.error(request, f"Nothing was changed: {refused}")
    except policies.Conflict as conflict:
        messages.warning(request, f"Nothing was changed: {conflict} Look again and repeat it.")
    else:
        (messages.success if done.is_well else messages.warning)(request, done.words)
    return _back(request, server, subject, row)


def _page(request: HttpRequest, server: Server, subject: bytes) -> HttpResponse:
    found = standing.of(server, subject)
    editable = [one.row for one in found.rows if policies.may_edit(request, one.row)]
    wanted = request.GET.get("policy", "")
    # Nobody should ban under a policy that only comes first by its name: the one the person came
    # from, else the only one that refuses, else none.
    trouble = [one.row for one in found.rows if one.state == "warn" and one.row in editable]
    first = trouble[0] if len(trouble) == 1 else editable[0] if len(editable) == 1 else None
    context: dict[str, Any] = {
        "subject": subject,
        "encoded": keys.to_url(subject),
        "standings": found,
        "rows": [(one, policies.may_edit(request, one.row)) for one in found.rows],
        "editable": editable,
        "chosen": next((one for one in editable if one.name == wanted), first),
        "refused": [one for one in found.rows if one.state == "warn"],
        "times": deciding.TIMES,
        "can_be_named": standing.text_of(subject) is not None and not standing.is_digest(subject),
    }
    return render(request, "limits/using/subject.html", context)


def _wanted(request: HttpRequest, server: Server, name: str) -> tuple[LimitPolicy, Policy, bytes]:
    """The policy, if this person may change it, and the subject that the form names.

    A secret by its digest: what is done to it is kept in the audit.
    """
    row = policies.find(server, name)
    rights.require(request, server, name, row.team_id)
    policy, broken = readable(row)
    if policy is None:
        raise Http404(broken)
    return row, policy, standing.kept(policy, _decoded(request.POST.get("subject", "")))


def _counts_secrets(server: Server) -> bool:
    """Whether what somebody types may be an API key, which belongs in no address."""
    return any(is_secret(tuple(row.body.get("subject", ()))) for row in policies.current(server))


def _back(
    request: HttpRequest, server: Server, subject: bytes, row: LimitPolicy | None = None
) -> HttpResponse:
    if len(subject) <= LONGEST_URL:
        page = reverse("limits:subject", args=[server.slug, keys.to_url(subject)])
        return redirect(f"{page}?{urlencode({'policy': row.name})}" if row else page)
    return redirect("limits:subjects", server.slug)


def _decoded(text: str) -> bytes:
    try:
        return keys.from_url(text)
    except InvalidArgument as error:
        raise Http404("no such subject") from error


def _short(subject: bytes) -> str:
    return Truncator(standing.printable(subject)).chars(60)
