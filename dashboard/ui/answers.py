"""How an answer that is not the page asked for looks: a whole page, a fragment, or JSON."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import Error as SqlError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.cache import patch_vary_headers
from redis.exceptions import RedisError

from dashboard.ui.context_processors import Frame
from redisops.errors import RedisopsError

log = structlog.get_logger(__name__)

TROUBLE = (SqlError, RedisError, RedisopsError)


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asked for a fragment; known also before the htmx middleware has run."""
    asked = request.headers.get("HX-Request") == "true"
    return asked and request.headers.get("HX-Boosted") != "true"


def wants_json(request: HttpRequest) -> bool:
    """Whether the client prefers JSON to HTML (an API client; browsers ask for HTML)."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def in_frame(
    request: HttpRequest,
    page: str,
    fragment: str,
    context: dict[str, Any],
    *,
    status: int,
) -> HttpResponse:
    """The page, or for htmx its fragment put into the page's main part, whatever the target was."""
    if is_htmx(request):
        response = HttpResponse(loader.render_to_string(fragment, context, request), status=status)
        response["HX-Retarget"] = "#main"
        response["HX-Reswap"] = "innerHTML show:window:top"
    else:
        response = HttpResponse(loader.render_to_string(page, context, request), status=status)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response


def error(
    request: HttpRequest,
    status: int,
    *,
    title: str,
    sentence: str,
    next_step: str = "",
    detail: str = "",
    icon: str = "circle-alert",
) -> HttpResponse:
    """A designed error page: what is so, why, what next; in the frame for who is signed in."""
    if wants_json(request):
        body = {"error": title, "sentence": sentence, "next_step": next_step, "detail": detail}
        return JsonResponse({key: value for key, value in body.items() if value}, status=status)
    context = {
        "status": status,
        "title": title,
        "sentence": sentence,
        "next_step": next_step,
        "detail": detail,
        "icon": icon,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    return in_frame_or_bare(request, "ui/error.html", "ui/_error_main.html", context, status=status)


def in_frame_or_bare(
    request: HttpRequest, page: str, fragment: str, context: dict[str, Any], *, status: int
) -> HttpResponse:
    """``in_frame`` for somebody who is signed in; else, or when the frame has trouble, bare."""
    try:
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            return in_frame(request, page, fragment, context, status=status)
    except TROUBLE as error:
        # The frame lists servers and knows the person: it needs SQL. The words do not.
        log.warning("ui.frame_unavailable", error=type(error).__name__)
    # Without context processors, which would ask for the same things again.
    bare = fragment if is_htmx(request) else "ui/error_bare.html"
    words = {**context, "content": fragment, "frame": Frame(request), "request": request}
    body = loader.render_to_string(bare, words)
    response = HttpResponse(body, status=status)
    if is_htmx(request):
        response["HX-Retarget"], response["HX-Reswap"] = "#main", "innerHTML show:window:top"
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response
