"""Who may do what on which server: asked in one place, answered by one query.

Each area registers its permissions with the least role that has them. ``on_server`` is the one
way a view gets a server: somebody without any role on it gets the same 404 as for a server that
does not exist, somebody with too small a role a 403 that names what is missing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Case, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.http import Http404, HttpRequest, HttpResponse

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.audit import actions, record
from dashboard.servers.load import pages
from dashboard.servers.models import Grant, Server
from dashboard.ui.errors import Forbidden
from redisops.connection import measure
from redisops.resilience import deadline

READING = ("GET", "HEAD", "OPTIONS")
# For all commands of a page; with its own work it stays below the 3 s that a page may take.
PAGE_SECONDS = 2.6

Person = User | AnonymousUser
View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Right:
    """One thing that may be done, in words that end "You may not …", and the role it needs."""

    permission: str
    role: Role
    words: str


_rights: dict[str, Right] = {}


def register(permission: str, role: Role, words: str) -> None:
    """Declare a permission; called by each area's ``AppConfig.ready()``."""
    right = Right(permission, role, words)
    if _rights.setdefault(permission, right) != right:
        raise ImproperlyConfigured(f'the permission "{permission}" is registered twice')
    actions.register_permission(permission, words)


def right(permission: str) -> Right:
    try:
        return _rights[permission]
    except KeyError:
        raise ImproperlyConfigured(f'nobody registered the permission "{permission}"') from None


def rights() -> list[Right]:
    """Every registered permission, by name."""
    return [_rights[name] for name in sorted(_rights)]


def has_every_server(user: Person) -> bool:
    """Whether this is an administrator of the console, who is one of every server."""
    return user.is_authenticated and user.is_active and user.is_superuser


def servers_seen_by(user: Person) -> QuerySet[Server]:
    """The servers that ``user`` has any role on, without saying which."""
    # The annotation of a constant would take as long as the query.
    return Server.objects.all() if has_every_server(user) else servers_for(user)


def servers_for(user: Person) -> QuerySet[Server]:
    """The servers that ``user`` has any role on, each with ``rank`` (0-based place of the role)."""
    if not user.is_authenticated or not user.is_active:
        return Server.objects.annotate(rank=Value(-1)).none()
    if has_every_server(user):
        return Server.objects.annotate(rank=Value(_RANKS[Role.ADMIN], IntegerField()))
    held = (
        Grant.objects.filter(server=OuterRef("pk"))
        .filter(Q(user=user) | Q(team__in=user.teams.all()))
        .annotate(rank=_RANK)
        .order_by("-rank")
        .values("rank")[:1]
    )
    return Server.objects.annotate(rank=Subquery(held)).filter(rank__isnull=False)


def server_for(user: Person, slug: str) -> Server | None:
    """The server with the user's role on it as ``server.role``, or None for a stranger."""
    server = servers_seen_by(user).filter(slug=slug).first()
    if server is not None:
        server.role = Role.ADMIN if has_every_server(user) else role_found(server)
        server.role_of = user.pk
    return server


def role_found(server: Server) -> Role:
    """The role that ``servers_for`` found with this row."""
    rank: int = server.__dict__["rank"]
    return _ROLES[rank]


def role_on(user: Person, server: Server) -> Role | None:
    """The greatest role that ``user`` has on ``server``, own or by a team."""
    found = servers_for(user).filter(pk=server.pk).first()
    return None if found is None else role_found(found)


def may(user: Person, permission: str, server: Server | None) -> bool:
    """Whether ``user`` has ``permission`` on ``server``; without a server, on the whole console.

    No query when the row was fetched for this person by ``server_for``, as a page's server is.
    """
    if server is None:
        return has_every_server(user)
    fetched_for_them = server.role is not None and server.role_of == user.pk
    role = server.role if fetched_for_them else role_on(user, server)
    return role is not None and role.allows(right(permission).role)


def may_here(request: HttpRequest, permission: str) -> bool:
    """``{% if request|may:"keys.change" %}``: the page's person on the page's server."""
    return may(request.user, permission, getattr(request, "server", None))


def on_server(permission: str) -> Callable[[View], View]:
    """Give a view its server instead of the URL's slug, if the person has ``permission`` there.

    The view runs under a total deadline for all its commands, and ``request.cost`` counts them.
    Where pages ask more of the server than ``PAGE_COMMANDS``, it waits a moment (``load.pages``).
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            server = server_for(request.user, slug)
            if server is None:
                raise Http404(f"no server {slug}")
            request.server = server  # type: ignore[attr-defined]
            if not may_here(request, permission):
                refuse(request, permission)
            with _costing(request), _braked(request, server.slug):
                return view(request, server, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def on_console(permission: str) -> Callable[[View], View]:
    """For what concerns no single server, such as adding one: administrators of the console."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not may(request.user, permission, None):
                refuse(request, permission)
            with _costing(request):
                return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


@contextmanager
def _costing(request: HttpRequest) -> Iterator[None]:
    with deadline(PAGE_SECONDS), measure() as cost:
        request.cost = cost  # type: ignore[attr-defined]
        yield


@contextmanager
def _braked(request: HttpRequest, slug: str) -> Iterator[None]:
    """Within the page's own time: what it waits for others is not added to what it may take."""
    pages.wait(request, slug)
    try:
        yield
    finally:
        pages.charge(slug, request.cost.commands)  # type: ignore[attr-defined]


def refuse(request: HttpRequest, permission: str) -> None:
    """Answer 403 with the missing right named; a refused change is kept in the audit."""
    missing = right(permission)
    server: Server | None = getattr(request, "server", None)
    if request.method not in READING:
        record(
            request,
            permission,
            server=server.slug if server else None,
            target=request.path,
            result="refused",
            reason=f"needs the role {missing.role.label}",
        )
    raise Forbidden(missing.words, missing.role)


_ROLES = dict(enumerate(Role))
_RANKS = {role: rank for rank, role in _ROLES.items()}
_RANK = Case(
    *(When(role=role, then=Value(rank)) for role, rank in _RANKS.items()),
    output_field=IntegerField(),
)
