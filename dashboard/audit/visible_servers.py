"""Whose entries a person may read. The app above that knows roles fills this in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet

from dashboard.audit import actions
from dashboard.audit.models import Entry

_ask: Callable[[Any], Iterable[str]] | None = None


def register(ask: Callable[[Any], Iterable[str]]) -> None:
    """``ask(user) -> slugs`` of the servers on which the user has any role."""
    global _ask
    _ask = ask


def entries_for(user: Any) -> QuerySet[Entry]:
    """Everything for an admin of the console; for others what happened on servers they may see."""
    if not user.is_authenticated or not user.is_active:
        return Entry.objects.none()
    if user.is_superuser:
        return Entry.objects.all()
    slugs = list(_ask(user)) if _ask is not None else []
    return Entry.objects.filter(server__in=[slug for slug in slugs if slug])


def changes_for(user: Any) -> QuerySet[Entry]:
    """The changes among them, made or refused: no sign-ins, no downloads."""
    return entries_for(user).exclude(action__in=actions.without_change())
