"""Keys in the palette: an exact name without a scan, a pattern as a list, nothing for strangers."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.test import Client
from django.urls import reverse

from dashboard.accounts.models import User
from redisops.keys import printable
from tests import hostile
from tests.dashboard.keys.conftest import key_path, text_of


def search(visitor: Client, query: str) -> str:
    return text_of(visitor.get(reverse("ui:palette"), {"q": query, "server": "shop"}))


def test_an_exact_name_is_found_and_opened(visitor: Client, filled: redis.Redis) -> None:
    page = search(visitor, "sess:eu:1")

    assert f'href="{key_path(b"sess:eu:1")}"' in page
    assert "hash" in page


def test_names_that_begin_so_are_offered(visitor: Client, filled: redis.Redis) -> None:
    page = search(visitor, "sess:")

    assert "match=sess%3A%2A" in page


def test_every_hostile_name_is_found(visitor: Client, data: redis.Redis) -> None:
    for name in hostile.NAMES:
        if not 0 < len(name) <= 200 or printable(name) != printable(name).strip():
            continue
        data.set(name, "x")
        assert f'href="{key_path(name)}"' in search(visitor, printable(name)), name


def test_a_stranger_is_told_of_no_key(
    stranger: User, filled: redis.Redis, client_for: Callable[..., Client]
) -> None:
    assert "sess:eu:1/" not in search(client_for(stranger), "sess:eu:1")
