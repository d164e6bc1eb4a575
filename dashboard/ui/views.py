"""The frame's own pages, and the pages that say why there is none."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template import loader
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from dashboard.ui import answers, navigation, palette
from dashboard.ui.context_processors import THEME_COOKIE, THEMES
from dashboard.ui.errors import Forbidden

YEAR = 365 * 24 * 3600


@require_GET
def help_page(request: HttpRequest) -> HttpResponse:
    """The keyboard, the marks, and where to read on."""
    return render(request, "ui/help.html")


@require_GET
def palette_page(request: HttpRequest) -> HttpResponse:
    """What Ctrl-K finds: the hits alone for htmx, a page to search on without JavaScript."""
    query = request.GET.get("q", "").strip()
    request.server = navigation.server_named(request, request.GET.get("server", ""))  # type: ignore[attr-defined]
    context = {"query": query, "groups": palette.search(request, query)}
    template = "ui/_hits.html" if answers.is_htmx(request) else "ui/palette.html"
    return render(request, template, context)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark in a cookie; anything else goes back to the system's choice."""
    wanted = request.POST.get("theme", "")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        back = reverse("servers:fleet")
    response = HttpResponse(status=204) if answers.is_htmx(request) else HttpResponseRedirect(back)
    if wanted in THEMES:
        response.set_cookie(
            THEME_COOKIE, wanted, max_age=YEAR, samesite="Lax", httponly=True,
            secure=settings.PRODUCTION,
        )  # fmt: skip
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.error(
        request, 400, title="The address or the form is not right",
        sentence="The console could not read what was sent.",
        next_step="Go back, check what you typed and send it again.",
    )  # fmt: skip


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Names the right that is missing and the role that has it."""
    right, role = "", ""
    if isinstance(exception, Forbidden):
        right, role = exception.right, exception.role
    if answers.wants_json(request):
        return answers.error(request, 403, title="Not allowed", sentence=str(exception))
    context = {
        "title": "Not allowed",
        "right": right,
        "role": role,
        "server": getattr(request, "server", None),
    }
    return answers.in_frame_or_bare(
        request, "ui/forbidden.html", "ui/_forbidden.html", context, status=403
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.error(
        request, 404, title="Nothing here",
        sentence="This address leads nowhere, or to something you have no access to.",
        next_step="If somebody sent it to you, ask them to give you access to the server.",
        icon="map-pin-off",
    )  # fmt: skip


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was older than the sign-in, or did not come from this console."""
    return answers.error(
        request, 403, title="The form is too old",
        sentence="The change was not made: the form does not belong to your present sign-in.",
        next_step="Open the page again and send it once more. Cookies must be allowed.",
        detail=reason if settings.DEBUG else "", icon="shield-x",
    )  # fmt: skip


def server_error(request: HttpRequest) -> HttpResponse:
    """Something broke in the console itself. Needs no database, no Redis, no session."""
    if answers.wants_json(request):
        return answers.error(
            request, 500, title="The console made a mistake", sentence="It is in its log."
        )
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    try:
        sheets = [static("vendor/tabler.min.css"), static("css/look.css")]
    except ValueError:  # The manifest itself may be what is broken; the words matter more.
        sheets = []
    body = loader.render_to_string("500.html", {"request_id": request_id, "sheets": sheets})
    return HttpResponse(body, status=500)
