"""``POST /api/limits/check``: limits for services that are not in Python."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from dashboard.accounts.models import ApiToken
from dashboard.api.endpoint import Section
from dashboard.api.pages import fields_of
from dashboard.api.problems import Refused, documented
from dashboard.api.tokens import enter
from dashboard.limits.api import deciding, doors
from dashboard.limits.api.schemas import (
    MOST_REQUESTS,
    Answer,
    Place,
    Question,
    Request,
    Verdict,
)
from dashboard.limits.policies import protected
from redisops.limits import web
from redisops.limits.matching import Asked
from redisops.resilience import deadline

CHECK = "limits.check"
# For all decisions of one request: what is not decided by then goes by its policies' failure mode.
MOST_SECONDS = 2.0

STATUSES = {
    401: "No valid token.",
    403: "The token lacks the scope, or its owner the role.",
    404: "The token is for no server of that name.",
    413: "The body has more than 256 KiB.",
    422: "The body is not what is described here.",
    429: "This token asks too often (policy console-api). Never a verdict.",
    503: "Console work is stopped there, or the console's database is away.",
}

router = Router()


@router.post(
    "/check",
    response={200: Answer},
    summary="Decide about requests",
    operation_id="check_limits",
    url_name="check_limits",
    tags=["limits"],
    openapi_extra=documented(STATUSES),
)
def check(request: HttpRequest, response: HttpResponse, question: Question) -> dict[str, Any]:
    """One verdict for each request, in their order, each for itself.

    A request falls under all policies that match it: they decide together in one atomic step, and
    one that is refused takes nothing from any. Policies for concurrency are named in ``undecided``
    and hold nobody up: ask acquire for a place. While the server's Redis is away, each
    policy's own failure mode decides. The RateLimit fields of this answer are those of the token;
    those for your own answer are in each verdict's ``headers``.
    """
    server = enter(request, response, CHECK, question.server)
    with deadline(MOST_SECONDS):
        door = doors.of(server)
        verdicts = deciding.decide(door, question.requests, peek=question.peek)
    return {
        "server": server.slug,
        "version": door.book.version,
        "allowed": all(verdict["allowed"] for verdict in verdicts),
        "verdicts": verdicts,
    }


def admit(token: ApiToken) -> dict[str, str]:
    """Charge the token by the console's own policy: the fields to send, or ``Refused`` 429."""
    door = doors.own()
    asked = Asked(
        service=protected.SERVICE,
        method="POST",
        path=protected.API_PATH,
        api_key=f"token {token.pk}",
    )
    found = door.book.match(asked)
    verdict = door.guard.check(asked)
    fields = web.headers(verdict, [matched.policy for matched in found])
    if not verdict.allowed:
        error = Refused(429, "This token asks too often", f"The policy {verdict.policy} says so.")
        error.headers = fields
        raise error
    return fields


def section() -> Section:
    """Its part of the documentation."""
    known = {field[0]: field for field in fields_of(Place)}
    return Section(
        "Limits",
        "Asks whether a request may pass, and for its places, by the policies that people publish.",
        "limits/api.html",
        lambda: {
            "most": MOST_REQUESTS,
            "question": fields_of(Question),
            "request_fields": fields_of(Request),
            "verdict": fields_of(Verdict),
            "place": [known[name] for name in ("allowed", "lease", "seconds", "ends")],
        },
    )
