"""Policies of the shop's server, and services that count under them."""

from __future__ import annotations

import pytest

from dashboard.accounts import tokens
from dashboard.limits import policies
from dashboard.limits.api import doors, endpoint, places
from redisops.limits.recorder import Recorder
from tests.dashboard.limits.using import BY_IP, CHECKOUT, SLOTS


@pytest.fixture
def row(server, owner):
    """The policy "checkout" of the shop, beside "slots" and "by-ip"."""
    policies.seed(server, [CHECKOUT, SLOTS, BY_IP], "tests")
    return policies.find(server, "checkout")


@pytest.fixture
def told(data):
    """``told(b"ann", "allowed", 3)``: as services count what they decide."""

    def tell(subject: bytes, outcome: str, count: int, policy: str = "checkout") -> None:
        recorder = Recorder(data)
        recorder.add(policy, subject, outcome, count)
        recorder.flush()

    return tell


@pytest.fixture
def unhurried(monkeypatch):
    """Pages may take as long as a busy machine needs: what they ask is large."""
    monkeypatch.setattr("dashboard.limits.patience.PATIENCE", 60.0)
    monkeypatch.setattr("dashboard.servers.access.PAGE_SECONDS", 60.0)


@pytest.fixture
def new_doors(monkeypatch):
    """The API begins with no door, waits as long as a busy machine needs, and leaves none."""
    monkeypatch.setattr(doors, "FIRST_SECONDS", 20.0)
    monkeypatch.setattr(endpoint, "MOST_SECONDS", 20.0)
    monkeypatch.setattr(places, "MOST_SECONDS", 20.0)
    yield
    doors.forget_all()


@pytest.fixture
def token(operator):
    """A program that may ask for decisions on the shop: its row and its text."""
    return tokens.create(operator, "gateway", scopes=["limits.check"], servers=["shop"], days=90)
