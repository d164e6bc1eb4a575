"""One's own account: who one is here, the password, and where one is signed in."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.accounts import signed_in
from dashboard.accounts.forms import NewPasswordForm
from dashboard.accounts.models import User
from dashboard.audit import record


@require_GET
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """Name, rights, teams, and where one is signed in."""
    user = cast(User, request.user)
    context = {
        "sessions": signed_in.rows(user, current=request.session.session_key),
        "teams": user.teams.all(),
    }
    return render(request, "accounts/account.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; every other session ends, this one goes on under a new id."""
    user = cast(User, request.user)
    form = NewPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            record(request, "accounts.password", target=user.username)
            user.set_password(form.cleaned_data["new"])
            user.must_change_password = False
            user.save()
        update_session_auth_hash(request, user)
        request.session.save()
        messages.success(request, "Your password is changed. You are signed out everywhere else.")
        return redirect("accounts:account")
    status = 422 if form.errors else 200
    return render(request, "accounts/password.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def sessions(request: HttpRequest) -> HttpResponse:
    """Where one is signed in; POST ends one of them, or all others."""
    user = cast(User, request.user)
    current = request.session.session_key
    if request.method == "POST":
        ended = signed_in.end(request, user, request.POST.get("session", ""), keep=current)
        word = "session is" if ended == 1 else "sessions are"
        messages.success(request, f"{ended} {word} ended.")
        return redirect("accounts:sessions")
    context = {"sessions": signed_in.rows(user, current=current)}
    return render(request, "accounts/sessions.html", context)
