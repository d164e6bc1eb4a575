"""One client per server and process, made again when the row changes, in every process."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
import redis
from django.conf import settings

from dashboard.servers import clients, home
from dashboard.servers.models import Server
from redisops.errors import CircuitOpen
from redisops.fast import Fast
from redisops.resilience import BreakerState, FileLease, RedisLease
from tests.servers import RedisProcess, running, until

pytestmark = pytest.mark.django_db


def test_a_process_has_one_client_and_one_breaker_for_a_server(server: Server) -> None:
    again = Server.objects.get(pk=server.pk)

    assert server.client() is again.client()
    assert server.client().breaker is clients.breaker(again)


def test_threads_that_come_at_once_get_the_same_client(server: Server) -> None:
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(server.client())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, found))) == 1


def test_a_changed_row_connects_anew_and_a_changed_note_does_not(server: Server) -> None:
    before = server.client()
    server.note = "x"
    assert server.client() is before

    with running() as other:
        with other.client() as plain:
            plain.set("where", "other")
        server.nodes = f"127.0.0.1:{other.port}"
        assert server.client() is not before
        assert server.client().get("where") == b"other"


def test_a_call_under_way_outlives_a_change_of_the_row(server: Server) -> None:
    client = server.client()
    link = client.connection_pool.get_connection()
    link.send_command("SET", "slow", "1")
    server.nodes = "127.0.0.1:1"
    assert server.client() is not client

    assert link.read_response() == b"OK"
    client.connection_pool.release(link)


def test_a_server_that_nobody_asks_any_more_keeps_no_connection(
    server: Server, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()  # held on to: what is left to be collected closes nothing
    ours = str(Fast.of(client).call("CLIENT", "ID"))  # keeps its link at hand
    started = time.monotonic()
    with monkeypatch.context() as later:
        later.setattr(clients.time, "monotonic", lambda: started + clients.UNUSED_SECONDS + 61)
        clients.breaker(home.ensure())

    assert server.slug not in clients._links
    # The server hears of the end when it next looks at its sockets.
    until(lambda: ours not in {one["id"] for one in data.client_list()}, "still there")


def test_another_process_sees_a_changed_row_at_its_next_page(server: Server) -> None:
    """A fork stands for the other worker: it knows the old address when the row changes."""
    with running() as other:
        with other.client() as plain:
            plain.set("where", "other")
        server.client().set("where", "shop")
        ask, answer = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                first = server.client().get("where")
                os.write(answer[1], first + b" ")
                nodes = os.read(ask[0], 100).decode()
                row = Server(pk=server.pk, name=server.name, slug=server.slug, nodes=nodes)
                os.write(answer[1], row.client().get("where"))
            finally:
                os._exit(0)
        assert os.read(answer[0], 100) == b"shop "
        os.write(ask[1], f"127.0.0.1:{other.port}".encode())
        assert os.read(answer[0], 100) == b"other"
        os.waitpid(pid, 0)
        for end in (*ask, *answer):
            os.close(end)
    assert server.client().get("where") == b"shop"


def test_each_event_loop_has_its_own_client_on_the_same_breaker(server: Server) -> None:
    async def use() -> object:
        client = server.async_client()
        assert client is server.async_client()
        assert client.breaker is server.client().breaker
        await client.set("x", 1)
        await client.aclose()
        return client

    assert asyncio.run(use()) is not asyncio.run(use())
    assert server.client().get("x") == b"1"


def test_probes_are_agreed_on_home_and_those_of_home_on_this_machine(server: Server) -> None:
    lease = clients.breaker(server).lease
    assert isinstance(lease, RedisLease)
    assert lease.key == f"{settings.HOME_PREFIX}probe:shop"
    assert isinstance(clients.breaker(home.ensure()).lease, FileLease)


def test_of_two_processes_one_probes(own_dead: Server, home_process: RedisProcess) -> None:
    breaker = clients.breaker(own_dead)
    while breaker.state is BreakerState.CLOSED:
        with pytest.raises(Exception, match="refused"):
            own_dead.client().ping()
    with home_process.client() as plain:
        plain.set(f"{settings.HOME_PREFIX}probe:dead", "another process", px=60_000)
    breaker._probe_at = 0.0

    with pytest.raises(CircuitOpen):
        own_dead.client().ping()


@pytest.fixture
def own_dead(db: None) -> Server:
    process = RedisProcess()
    port = process.port
    process.remove()
    return Server.objects.create(name="Dead", slug="dead", nodes=f"127.0.0.1:{port}")


def test_the_console_does_not_make_keys_look_used(server: Server, data) -> None:  # type: ignore[no-untyped-def]
    data.set("x", 1)

    server.client().get("x")

    assert any(
        "no-touch" in str(c).lower() or "T" in c["flags"]
        for c in data.client_list()
        if c["name"] == clients.NAME
    )
