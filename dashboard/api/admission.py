"""How often a token may ask. The area that counts is above this layer and registers itself."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured

from dashboard.accounts.models import ApiToken

Admit = Callable[[ApiToken], dict[str, str]]
_counting: list[Admit] = []


def register(admit: Admit) -> None:
    """Declare who counts; called once, by an area's ``AppConfig.ready()``."""
    if _counting and _counting[0] is not admit:
        raise ImproperlyConfigured("two areas count how often tokens ask")
    _counting[:] = [admit]


def admit(token: ApiToken) -> dict[str, str]:
    """Charge the token for one request: header fields to send, or ``Refused`` 429."""
    return _counting[0](token)
