"""Who asks: by token alone. Cookies and sessions mean nothing here."""

from __future__ import annotations

import functools
from typing import cast

import structlog
from django.db import Error as SqlError
from django.http import HttpRequest, HttpResponse
from ninja.security import HttpBearer

from dashboard.accounts import tokens
from dashboard.accounts.models import ApiToken, User
from dashboard.accounts.tokens import Scope
from dashboard.api import admission
from dashboard.api.problems import Refused
from dashboard.audit.actors import address_of
from dashboard.servers import access
from dashboard.servers.models import Server

log = structlog.get_logger(__name__)

CHALLENGE = 'Bearer realm="Redisops API"'


class Token(HttpBearer):
    """``Authorization: Bearer rops_…``; gives the ``ApiToken``."""

    def __call__(self, request: HttpRequest) -> ApiToken:
        """The valid token, or ``Refused`` 401."""
        return verify(request.headers.get(self.header, ""))

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        """As Ninja asks it: the row of the token's text."""
        return verify(f"Bearer {token}")


def verify(authorization: str) -> ApiToken:
    """The row of the token in that header; ``Refused`` 401, the same for every reason."""
    kind, _, text = authorization.partition(" ")
    if kind.lower() != "bearer":
        raise Refused(
            401,
            "A token is needed",
            "Send Authorization: Bearer and an API token of this console.",
            WWW_Authenticate=CHALLENGE,
        )
    found = tokens.verified(text.strip())
    if found is None:
        raise Refused(
            401,
            "The token is not valid",
            "It is unknown, revoked or over, or the account it belongs to is disabled.",
            WWW_Authenticate=f'{CHALLENGE}, error="invalid_token"',
        )
    return found


def enter(request: HttpRequest, response: HttpResponse, code: str, slug: str) -> Server:
    """The server ``slug`` for what the scope ``code`` lets the request's token do there.

    Charges the token (its RateLimit fields go into ``response``) and notes its use; ``Refused``
    403, 404 or 429.
    """
    token = cast(ApiToken, request.auth)  # type: ignore[attr-defined]
    for name, value in admission.admit(token).items():
        response[name] = value
    server = server_for(token, code, slug)
    note_use(request, token)
    return server


def server_for(token: ApiToken, code: str, slug: str) -> Server:
    """The server, if the token has the scope ``code`` there; ``Refused`` 403 or 404.

    A server that the token does not name is as one that does not exist.
    """
    if code not in token.scopes:
        raise Refused(403, "The token may not do this", f"It lacks the scope {code}.")
    server = access.server_for(token.owner, slug) if slug in token.servers else None
    if server is None:
        raise Refused(404, "No such server", "This token is for no server of that name.")
    if not access.may(token.owner, code, server):
        role = access.right(code).role.label.lower()
        raise Refused(
            403,
            "The token's owner may not do this",
            f"{token.owner.username} is no {role} of {slug} any more.",
        )
    return server


def note_use(request: HttpRequest, token: ApiToken) -> None:
    """Write when it was last used, at most once a minute; a database that is busy is no reason
    to refuse."""
    try:
        tokens.used(token, address_of(request))
    except SqlError as error:
        log.warning("api.use_not_noted", error=type(error).__name__)


def scope(code: str, words: str) -> Scope:
    """What ``accounts`` offers to people who make a token: the permission of the same name."""
    return Scope(code, words, functools.partial(_servers, code), functools.partial(_holds, code))


def _servers(code: str, user: User) -> dict[str, str]:
    needed = access.right(code).role
    seen = access.servers_for(user)
    return {one.slug: one.name for one in seen if access.role_found(one).allows(needed)}


def _holds(code: str, user: User, slug: str) -> bool:
    server = access.server_for(user, slug)
    return server is not None and access.may(user, code, server)
