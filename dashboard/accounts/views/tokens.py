"""One's own API tokens: made, shown once, listed, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.accounts import tokens
from dashboard.accounts.forms import TokenForm
from dashboard.accounts.models import ApiToken, User
from dashboard.audit import record

MOST_SHOWN = 200


@dataclass(frozen=True)
class Row:
    """One token as a table shows it."""

    token: ApiToken
    state: str
    may: list[str]
    lost: list[str]

    @property
    def is_valid(self) -> bool:
        return self.state in ("valid", "soon")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def index(request: HttpRequest) -> HttpResponse:
    """The tokens of whoever is signed in; POST makes one and shows it, once."""
    user = cast(User, request.user)
    form = TokenForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        with transaction.atomic():
            row, text = tokens.create(
                user,
                chosen["name"],
                scopes=chosen["scopes"],
                servers=chosen["servers"],
                services=chosen["services"],
                days=chosen["days"],
            )
            record(request, "accounts.token.create", target=row.name, after=_told(row))
        # No redirect: the token is on this answer and nowhere again.
        context = {
            "token": row,
            "text": text,
            "console": f"{request.scheme}://{request.get_host()}",
        }
        return render(request, "accounts/token_once.html", context)
    rows = listed(user)
    context = {
        "form": form,
        "valid": [row for row in rows if row.is_valid],
        "past": [row for row in rows if not row.is_valid],
    }
    return render(request, "accounts/tokens.html", context, status=422 if form.errors else 200)


@require_POST
@never_cache
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own tokens; an admin of the console any. At once, and for good."""
    user = cast(User, request.user)
    rows = ApiToken.objects.all() if user.is_superuser else user.api_tokens.all()
    token = get_object_or_404(rows.select_related("owner"), pk=pk)
    if token.revoked_at is None:
        with transaction.atomic():
            record(request, "accounts.token.revoke", target=token.name, before=_told(token))
            token.revoked_at, token.revoked_by = timezone.now(), user.username
            token.save(update_fields=["revoked_at", "revoked_by"])
        messages.success(
            request, f"The token {token.name} is revoked: the API refuses it from now."
        )
    return redirect("accounts:tokens" if token.owner_id == user.pk else token.owner)


def listed(user: User) -> list[Row]:
    """A person's tokens, the newest first; one query, and one for each scope."""
    held = {scope.code: set(scope.servers(user)) for scope in tokens.scopes()}
    return [_row(one, held) for one in user.api_tokens.all()[:MOST_SHOWN]]


def _row(token: ApiToken, held: dict[str, set[str]]) -> Row:
    may: list[str] = []
    lost: list[str] = []
    for slug in token.servers:
        holds = all(slug in held.get(code, ()) for code in token.scopes)
        (may if holds else lost).append(slug)
    return Row(token, _state(token), may, lost)


def _state(token: ApiToken) -> str:
    left = token.expires - timezone.now() if token.expires else None
    if token.revoked_at is not None:
        return "revoked"
    if left is None:
        return "valid"
    return "over" if left.total_seconds() <= 0 else "soon" if left.days < 7 else "valid"


def _told(token: ApiToken) -> dict[str, object]:
    return {
        "owner": token.owner.username,
        "start": token.start,
        "scopes": token.scopes,
        "servers": token.servers,
        **({"services": token.services} if token.services else {}),
        "expires": token.expires.isoformat() if token.expires else "never",
    }
