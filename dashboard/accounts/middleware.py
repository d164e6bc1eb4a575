"""Default deny: a page opens to people who are signed in, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard.accounts.models import User
from dashboard.accounts.sessions import SessionStore
from dashboard.ui import answers
from redisops.contrib.django.watch import SessionsUnavailable

# Open to everybody. A view may also say so itself with Django's @login_not_required; the
# metrics page has a rule of its own, for scrapers that cannot sign in.
PUBLIC = frozenset({"accounts:login", "ui:healthz", "ui:readyz", "ui:metrics"})
# Open to somebody who still has the password that an admin made.
BEFORE_PASSWORD = frozenset({"accounts:password", "accounts:logout", "ui:theme"})


class SignInRequiredMiddleware:
    """Sends strangers to the sign-in page, htmx by HX-Redirect, clients that ask JSON 401."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        name = match.view_name if match else ""
        if name in PUBLIC or not getattr(view, "login_required", True):
            return None
        try:
            is_known = request.user.is_authenticated
        except (SessionsUnavailable, OperationalError, InterfaceError):
            session = cast(SessionStore, request.session)
            session.unavailable = True  # keeps the cookie: nobody is signed out by this
            request.user = AnonymousUser()  # the page that says so must not ask again
            return answers.error(
                request,
                503,
                title="The console cannot tell who you are",
                sentence="Its database does not answer. You are still signed in.",
                next_step="Try again in a moment. If it stays so, tell whoever runs this console.",
                icon="database-zap",
            )
        if not is_known:
            return to_sign_in(request)
        if cast(User, request.user).must_change_password and name not in BEFORE_PASSWORD:
            return _go(request, reverse("accounts:password"))
        return None


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """The way to the sign-in page and back here, in the words of whoever asks."""
    if answers.is_htmx(request):
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = shown.path + (f"?{shown.query}" if shown.query else "")
        return _go(request, redirect_to_login(back or "/").url)
    if answers.wants_json(request):
        return JsonResponse({"error": "not signed in"}, status=401)
    back = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    return redirect_to_login(back)


def _go(request: HttpRequest, url: str) -> HttpResponse:
    if answers.is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
