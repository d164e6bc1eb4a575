"""Pages that ask much of a server wait a moment, and are never refused for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import User
from dashboard.servers.load import pages
from dashboard.servers.load.pages import BURST_SECONDS, MOST_SECONDS, Brake
from dashboard.servers.models import Server

ClientFor = Callable[[User | None], Client]
KEYS = "/servers/shop/keys/"


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def brake(now: list[float], monkeypatch: pytest.MonkeyPatch) -> Brake:
    made = Brake(clock=lambda: now[0])
    monkeypatch.setattr(pages, "BRAKE", made)
    return made


@pytest.fixture
def waited(brake: Brake, settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait of a page, at one command a second."""
    settings.PAGE_COMMANDS = 1.0
    found: list[float] = []
    monkeypatch.setattr(pages, "sleep", found.append)
    return found


def test_so_many_may_come_at_once_and_what_is_above_is_waited_for(
    brake: Brake, now: list[float]
) -> None:
    brake.charge("shop", 200, 100)
    assert brake.due("shop", 100) == 0.0

    brake.charge("shop", 50, 100)
    assert brake.due("shop", 100) == 0.5
    assert brake.due("other", 100) == 0.0

    now[0] += 0.25
    assert brake.due("shop", 100) == 0.25


def test_nobody_waits_longer_than_a_moment_and_a_flood_is_forgotten(
    brake: Brake, now: list[float]
) -> None:
    brake.charge("shop", 10**9, 100)
    assert brake.due("shop", 100) == MOST_SECONDS

    now[0] += pages.FORGIVEN_SECONDS
    assert brake.due("shop", 100) == 0.0
    now[0] += BURST_SECONDS
    brake.charge("shop", 200, 100)
    assert brake.due("shop", 100) == 0.0


def test_the_servers_it_remembers_are_bounded(brake: Brake) -> None:
    for number in range(pages.MOST_SERVERS + 5):
        brake.charge(f"server-{number}", 1, 1)

    assert len(brake._debts) <= pages.MOST_SERVERS + 1


def test_a_page_says_that_it_was_slowed_down_and_changes_never_wait(
    waited: list[float], server: Server, data: redis.Redis, operator: User, client_for: ClientFor
) -> None:
    browser = client_for(operator)
    assert "slowed down" not in browser.get(KEYS).content.decode()
    assert not waited
    pages.charge("shop", 1000)

    told = browser.get(KEYS)

    assert told.status_code == 200 and waited == [MOST_SECONDS]
    assert "slowed down by <b>1 s</b>, since pages ask much of it" in told.content.decode()
    browser.post("/servers/shop/stop/", {"reason": "why"})
    assert waited == [MOST_SECONDS]


def test_without_a_number_pages_never_wait(
    waited: list[float], settings: Any, server: Server, viewer: User,
    client_for: ClientFor,
) -> None:  # fmt: skip
    settings.PAGE_COMMANDS = 0.0
    pages.charge("shop", 1000)

    assert client_for(viewer).get(KEYS).status_code == 200
    assert not waited
