"""API tokens: made once, kept as a digest, shown to the API instead of a session.

A token is ``rops_``, 43 characters of base 62 (256 random bits), and 6 characters of checksum over
all that, so a scanner for leaked secrets finds ``rops_[0-9A-Za-z]{49}`` and can tell a token from
text that looks like one, without asking anybody.

SQL keeps SHA-256 of it, without salt and without a slow hash. Those make guessing dear where a
secret could be guessed, as passwords can. Nobody guesses 256 random bits, whatever one guess costs;
a slow hash would only make each request of a program dear. And as the row is looked up by the
digest, the time of an answer tells about digests, from which no token can be made.

What a token may do is at most what its owner may at that moment: each area registers its scopes
with a function that says on which servers a person may use them.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.utils import timezone

from dashboard.accounts.models import ApiToken, User

PREFIX = "rops_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM, CHECK = 43, 6
LENGTH = len(PREFIX) + RANDOM + CHECK
SHOWN = len(PREFIX) + 4
# Days until a token ends by itself; 0: never.
LIFETIMES = (30, 90, 365, 0)
MOST = 50  # valid tokens of one person
# The time of the last use is written at most so often.
USE_SECONDS = 60


@dataclass(frozen=True)
class Scope:
    """One thing that tokens may do: in words, and on which servers a person may let them.

    ``servers(user)`` gives names by slug; ``holds(user, slug)`` asks for one.
    """

    code: str
    words: str
    servers: Callable[[User], Mapping[str, str]]
    holds: Callable[[User, str], bool]


_scopes: dict[str, Scope] = {}


def register(scope: Scope) -> None:
    """Declare a scope; called by an area's ``AppConfig.ready()``."""
    if _scopes.setdefault(scope.code, scope) != scope:
        raise ImproperlyConfigured(f'the scope "{scope.code}" is registered twice')


def scopes() -> list[Scope]:
    """Every registered scope, by code."""
    return [_scopes[code] for code in sorted(_scopes)]


def scope(code: str) -> Scope:
    return _scopes[code]


def generated() -> str:
    """A new token. 256 random bits."""
    body = PREFIX + _base62(secrets.randbits(256), RANDOM)
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Whether it can be a token at all: its form and its checksum. Asks nobody."""
    if len(text) != LENGTH or not text.isascii() or not text.startswith(PREFIX):
        return False
    return text[-CHECK:] == _checksum(text[:-CHECK])


def digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def create(
    owner: User,
    name: str,
    *,
    scopes: Iterable[str],
    servers: Iterable[str],
    days: int,
    services: Iterable[str] = (),
) -> tuple[ApiToken, str]:
    """A new row and the token, which exists nowhere else; ``days`` 0 never ends.

    ``services`` limits it to these, see ``is_for``.
    """
    text = generated()
    row = ApiToken.objects.create(
        owner=owner,
        name=name,
        digest=digest(text),
        start=text[:SHOWN],
        scopes=sorted(scopes),
        servers=sorted(servers),
        services=sorted(services),
        expires=timezone.now() + timedelta(days=days) if days else None,
    )
    return row, text


def valid(rows: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """Those of ``rows`` that are neither revoked nor over."""
    now = timezone.now()
    return rows.filter(Q(expires=None) | Q(expires__gt=now), revoked_at=None)


def verified(text: str) -> ApiToken | None:
    """The valid token of an active owner, or None. One query, none for what cannot be a token."""
    if not is_well_formed(text):
        return None
    found = valid(ApiToken.objects.filter(digest=digest(text), owner__is_active=True))
    return found.select_related("owner").first()


def used(token: ApiToken, address: str, now: datetime | None = None) -> bool:
    """Write down that it was used; False, and nothing is written, within a minute of the last."""
    now = now or timezone.now()
    before = now - timedelta(seconds=USE_SECONDS)
    if token.last_used is not None and token.last_used > before:
        return False
    # Of many requests at the same moment one writes.
    stale = ApiToken.objects.filter(pk=token.pk).exclude(last_used__gt=before)
    return bool(stale.update(last_used=now, last_address=address))


def may(token: ApiToken, code: str, server: str) -> bool:
    """Whether the token may do this on that server: by itself, and its owner by now still."""
    return (
        code in token.scopes
        and server in token.servers
        and code in _scopes
        and _scopes[code].holds(token.owner, server)
    )


def is_for(token: ApiToken, service: str) -> bool:
    """Whether the token is for that service: it is limited to none, or names it."""
    return not token.services or any(
        service.startswith(one[:-1]) if one.endswith("*") else service == one
        for one in token.services
    )


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), CHECK)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
