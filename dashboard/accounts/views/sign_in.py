"""In and out."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import cast

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.accounts import throttle
from dashboard.accounts.forms import SignInForm
from dashboard.accounts.models import User
from dashboard.accounts.sessions import SessionStore
from dashboard.audit import record
from dashboard.audit.actors import address_of
from dashboard.ui.numbers import duration


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form; what is wrong is said the same way for names that exist and names that do not."""
    if request.method != "POST":
        if request.user.is_authenticated:
            return redirect(_next(request))
        return _page(request)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _page(request, problem="Type your user name and your password.", status=422)

    username = form.cleaned_data["username"]
    attempt = throttle.attempt(username, address_of(request))
    if attempt.retry_at is not None:
        if throttle.is_news(attempt.account, address_of(request)):
            _record_failure(request, username, "refused", "too many tries")
        return _too_many(request, attempt.retry_at)
    user = authenticate(request, username=username, password=form.cleaned_data["password"])
    if user is None:
        attempt.failed()
        _record_failure(request, username, "failed", "user name and password do not match")
        return _page(
            request,
            problem="User name and password do not match.",
            left=attempt.left,
            window=_unbroken(duration(attempt.seconds)),
            status=422,
        )

    attempt.succeeded()
    # Never the id that somebody may have planted before: all of the old session goes.
    request.session.flush()
    session = cast(SessionStore, request.session)
    session.address = address_of(request)
    session.agent = request.headers.get("User-Agent", "")[:300]
    login(request, user)
    record(request, "accounts.sign_in", target=user.get_username())
    session.save()  # here, where a database that is away becomes a page that says so
    return redirect(_next(request))


@require_POST
@never_cache
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session, here and wherever it is open."""
    record(request, "accounts.sign_out", target=request.user.get_username())
    logout(request)
    return redirect(settings.LOGIN_URL)


def _page(request: HttpRequest, *, status: int = 200, **context: object) -> HttpResponse:
    context |= {
        "next": request.POST.get("next", request.GET.get("next", "")),
        "username": request.POST.get("username", "")[:150],
        "host": request.get_host(),
        "idle": _unbroken(duration(settings.SESSION_COOKIE_AGE)),
        "absolute": _unbroken(duration(settings.SESSION_ABSOLUTE_AGE)),
    }
    return render(request, "accounts/sign_in.html", context, status=status)


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _too_many(request: HttpRequest, retry_at: datetime) -> HttpResponse:
    seconds = ceil((retry_at - timezone.now()).total_seconds())
    response = _page(request, problem="Too many tries.", retry_at=retry_at, status=429)
    response["Retry-After"] = str(max(1, seconds))
    return response


def _record_failure(request: HttpRequest, username: str, result: str, reason: str) -> None:
    # People type passwords into the wrong field: only names that exist are written down.
    known = User.objects.filter(username=username).exists()
    target = username if known else "(no such user)"
    record(request, "accounts.sign_in", target=target, result=result, reason=reason)


def _next(request: HttpRequest) -> str:
    """Where to go on: a page of this console, or its first one."""
    wanted = request.POST.get("next", request.GET.get("next", ""))
    if url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return wanted
    return resolve_url(settings.LOGIN_REDIRECT_URL)
