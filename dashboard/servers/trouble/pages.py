"""The pages of trouble: whole, as a strip over what htmx asked from, or as JSON."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from dashboard.servers.access import may_here, servers_for
from dashboard.servers.load import WorkStopped
from dashboard.servers.models import HOME, Server
from dashboard.servers.trouble.report import READING, TroubleReport
from dashboard.ui import answers, numbers

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Link:
    """A page that works although this one does not."""

    label: str
    url: str
    icon: str
    note: str


def redis_trouble(request: HttpRequest, error: BaseException) -> HttpResponse:
    """503 (403 for a missing right) with what is known and what to try."""
    server = getattr(request, "server", None) or Server(slug=HOME, name="Home")
    report = TroubleReport(request, error, server)
    log.warning(
        "redis.trouble", server=report.name, cause=str(report.cause), detail=report.known.detail
    )
    if answers.wants_json(request):
        response: HttpResponse = JsonResponse(report.as_json(), status=report.status)
    elif answers.is_htmx(request):
        response = _strip(request, report)
    else:
        response = _page(request, report)
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["HX-Request", "X-Retry", "Accept"])
    if report.status == 503:
        response["Retry-After"] = "2"
    return response


def stopped(request: HttpRequest, error: WorkStopped) -> HttpResponse:
    """503 with who stopped console work, since when and why, and the way to resume it."""
    server = getattr(request, "server", None)
    response: HttpResponse
    if answers.wants_json(request):
        known = {"error": "stopped", "sentence": f"{error}.", "next_step": "Resume it first."}
        response = JsonResponse(known, status=503)
    elif answers.is_htmx(request):
        body = loader.render_to_string("servers/_stopped.html", {"stopped": error}, request)
        response = HttpResponse(body, status=503)
        response["HX-Retarget"], response["HX-Reswap"] = "#strip", "innerHTML"
    else:
        context = {
            "stopped": error,
            # Another server than the page's own may be the stopped one (a copy's target).
            "is_here": server is not None and server.is_stopped,
            "links": _still_while_stopped(server) if server is not None else [],
        }
        body = loader.render_to_string("servers/stopped.html", context, request)
        response = HttpResponse(body, status=503)
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["HX-Request", "Accept"])
    return response


def _still_while_stopped(server: Server) -> list[Link]:
    """Pages that ask the server nothing."""
    return [
        Link("Overview", server.get_absolute_url(), "chart-line", "its history, no new figures"),
        Link("Audit", reverse("audit:index"), "history", "what was changed, and by whom"),
        Link("Other servers", reverse("servers:fleet"), "server", "work there goes on"),
    ]


def _page(request: HttpRequest, report: TroubleReport) -> HttpResponse:
    context = {
        "report": report,
        "still": _still(request, report),
        "may_edit": may_here(request, "servers.change"),
        "back": _back(request),
    }
    # A page that looks again by itself (retry.js) has its frame already.
    looks_again = "X-Retry" in request.headers
    template = "servers/_trouble_main.html" if looks_again else "servers/trouble.html"
    body = loader.render_to_string(template, context, request)
    return HttpResponse(body, status=report.status)


def _strip(request: HttpRequest, report: TroubleReport) -> HttpResponse:
    """A note above the page's content; what is there already stays and is not lost."""
    context = {"report": report, "page_url": _back(request)}
    body = loader.render_to_string("servers/_trouble.html", context, request)
    response = HttpResponse(body, status=report.status)
    response["HX-Retarget"] = "#strip"
    response["HX-Reswap"] = "innerHTML"
    return response


def _still(request: HttpRequest, report: TroubleReport) -> list[Link]:
    others = servers_for(request.user).exclude(slug=report.server.slug if report.server else "")
    count = others.count()
    links = []
    if count:
        links.append(Link("Other servers", reverse("servers:fleet"), "server", f"{count} of them"))
    seen = report.snapshot
    if seen is not None and seen.at and report.server is not None:
        overview = report.server.get_absolute_url()
        moment = datetime.datetime.fromtimestamp(seen.at, datetime.UTC)
        if overview != request.path:
            until = numbers.clock(moment, report.now)
            links.append(Link("Overview", overview, "chart-line", f"figures until {until}"))
    links.append(Link("Audit", reverse("audit:index"), "history", "what was changed, and by whom"))
    return links


def _back(request: HttpRequest) -> str:
    """The page that the request came from, if it is ours; otherwise the request's own."""
    current: str | None = getattr(getattr(request, "htmx", None), "current_url_abs_path", None)
    if current:
        return current
    if request.method in READING:
        return request.get_full_path()
    server = getattr(request, "server", None)
    return str(server.get_absolute_url()) if server is not None else reverse("servers:fleet")


def sql_trouble(request: HttpRequest, error: BaseException) -> HttpResponse:
    """503 without the frame: the frame itself reads the database.

    Nobody is known while it is away, so what exactly failed goes to the log only.
    """
    words = " ".join(str(error).split())[:500]
    log.error("sql.trouble", error=type(error).__name__, detail=words)
    context = {
        **_sql_words(words),
        "effect": (
            "Your Redis servers are not affected."
            if request.method in READING
            else "The change was not made."
        ),
        "is_retried": request.method == "GET",
    }
    response: HttpResponse
    if answers.wants_json(request):
        known = {name: context[name] for name in ("title", "sentence", "effect", "next_step")}
        response = JsonResponse(known, status=503)
    elif answers.is_htmx(request):
        body = loader.render_to_string("servers/_trouble_sql.html", context)
        response = HttpResponse(body, status=503)
        response["HX-Retarget"], response["HX-Reswap"] = "#strip", "innerHTML"
    else:
        response = HttpResponse(
            loader.render_to_string("servers/trouble_sql.html", context), status=503
        )
    response["Cache-Control"] = "no-store"
    response["Retry-After"] = "2"
    patch_vary_headers(response, ["HX-Request", "Accept"])
    return response


def _sql_words(words: str) -> dict[str, str]:
    if "locked" in words or "lock timeout" in words:
        return {
            "title": "The console's database is busy",
            "sentence": "Another change holds its lock longer than 2.5 s.",
            "next_step": "A backup or another program may hold it. It is tried again by itself.",
        }
    if "full" in words or "No space" in words:
        return {
            "title": "The console's database cannot write",
            "sentence": "The disk that it lies on is full.",
            "next_step": "Whoever runs the console: free some space. The log has the details.",
        }
    return {
        "title": "The console's database does not answer",
        "sentence": "Who may see what is kept there, so no page can be shown without it.",
        "next_step": "Whoever runs the console: look at DATABASE_URL and at the server behind it."
        " The log has the details.",
    }
