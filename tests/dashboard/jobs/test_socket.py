"""The socket of a job: the page's parts each time it moved, for whoever may see jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.jobs import start, testing
from dashboard.jobs.models import Job
from dashboard.routing import sockets
from dashboard.servers.live.hub import Hub
from tests.dashboard.jobs import kinds
from tests.dashboard.servers.conftest import hub as hub
from tests.dashboard.servers.sockets import Socket

kinds.declare()
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]


@pytest.fixture(autouse=True)
def _hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]


@pytest.fixture
def job(server: Any, data: Any, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr("dashboard.jobs.telling.worker", lambda pk: True)
    return start("anna", server, "test.add", kinds.units(40), scope=b"n:", total=40)


async def opened(client_for: Any, user: Any, job: int) -> tuple[Socket, tuple[bool, int | None]]:
    client = await sync_to_async(client_for)(user)
    cookie = f"session={client.cookies['session'].value}".encode()
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", cookie)]
    socket = Socket(sockets, f"/ws/servers/shop/jobs/{job}/", headers)
    return socket, await socket.connect()


async def test_a_page_hears_how_far_it_is(
    job: Job, viewer: Any, client_for: Any, hub: AsyncIterator[Hub]
) -> None:
    socket, (accepted, _) = await opened(client_for, viewer, job.pk)
    assert accepted
    first = await socket.message("state")
    assert first["parts"]["state"] == "queued"
    await sync_to_async(testing.run)(job, steps=3)
    while "of 40 counters added, 37%" not in (await socket.message("state"))["parts"].get(
        "progress", ""
    ):
        pass
    await sync_to_async(testing.run)(job)
    while (await socket.message("state"))["parts"].get("state") != "done":
        pass
    await socket.leave()


async def test_a_stranger_does_not_learn_that_there_is_one(
    job: Job, stranger: Any, client_for: Any, hub: AsyncIterator[Hub]
) -> None:
    _, answer = await opened(client_for, stranger, job.pk)
    assert answer == (False, 4404)
