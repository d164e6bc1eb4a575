"""What somebody saw in a dry list, kept for ten minutes: only that is ended."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from dashboard.accounts.models import User
from dashboard.servers.models import Server
from dashboard.sessions.listing.finding import home
from dashboard.sessions.listing.selecting import Wanted

KEPT = 600


def keep(user: User | AnonymousUser, server: Server, wanted: Wanted, names: Iterable[bytes]) -> str:
    """The word that gives the names back once, to the same person, server and question.

    One command on home; raises what home raises.
    """
    word = secrets.token_urlsafe(16)
    text = json.dumps([base64.b64encode(name).decode() for name in names])
    home().set(_place(user, server, wanted, word), text, ex=KEPT)
    return word


def take(
    user: User | AnonymousUser, server: Server, wanted: Wanted, word: str
) -> list[bytes] | None:
    """The names, which are gone from here on; None when there are none. One command on home."""
    if not word or len(word) > 40 or not word.replace("-", "").replace("_", "").isalnum():
        return None
    text = home().getdel(_place(user, server, wanted, word))
    return None if not text else [base64.b64decode(one) for one in json.loads(text)]


def _place(user: User | AnonymousUser, server: Server, wanted: Wanted, word: str) -> str:
    # Of the question, too: the audit says what was asked, so no other list may be ended by it.
    asked = hashlib.blake2b(repr(wanted).encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{settings.HOME_PREFIX}ending:{user.pk}:{server.pk}:{asked}:{word}"
