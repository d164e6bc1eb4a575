"""Fixtures for sessions: blocking and awaiting ones on a real server, and their round trips."""

import pytest

from redisops.sessions import AsyncSessions, Seal, Sessions
from tests.redisops.counting import counted_trips
from tests.redisops.sessions.kept import NEW, Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(build, clock):
    return build(Sessions, AsyncSessions, Seal([NEW]), clock=clock)


@pytest.fixture
def trips(monkeypatch):
    return counted_trips(monkeypatch)
