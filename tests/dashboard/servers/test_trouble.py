"""Each way in which a server can be in trouble, on a page: real servers, real faults."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from dashboard.accounts.models import User
from dashboard.servers import middleware
from dashboard.servers.models import Server
from redisops.resilience import BreakerState
from tests import servers as real
from tests.dashboard.conftest import assert_valid_html
from tests.faults.proxy import Proxy
from tests.servers import RedisProcess
from tests.waiting import Waiting

ClientFor = Callable[[User | None], Client]
Visit = Callable[..., HttpResponse]

pytestmark = pytest.mark.urls("tests.dashboard.servers.troubled")


@pytest.fixture
def own() -> Iterator[RedisProcess]:
    """A Valkey of the test's own, to be hurt."""
    with RedisProcess() as process:
        yield process


@pytest.fixture
def troubled(db: None, own: RedisProcess) -> Server:
    return Server.objects.create(
        name="Orders", slug="orders", nodes=f"127.0.0.1:{own.port}", environment="production"
    )


@pytest.fixture
def visit(owner: User, client_for: ClientFor) -> Visit:
    """``visit("GET x")``: the page that sends this to the troubled server."""
    browser = client_for(owner)

    def look(
        do: str = "GET x", *, method: str = "get", slug: str = "orders", **headers: str
    ) -> HttpResponse:
        send = getattr(browser, method)
        response: HttpResponse = send(f"/servers/{slug}/send/?do={do}", headers=headers)
        return response

    return look


def words_of(response: HttpResponse, status: int = 503) -> str:
    assert response.status_code == status
    assert_valid_html(response)
    text = response.content.decode()
    assert "Traceback" not in text
    return text


# --- Not reached ------------------------------------------------------------------------------


def test_a_dead_server_is_named_in_its_own_frame(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    own.kill()

    text = words_of(visit())

    assert "Orders does not answer" in text
    assert "cannot be shown; nothing here is guessed" in text
    assert "Production" in text and 'aria-label="Where you are"' in text
    assert f"127.0.0.1:{own.port}" in text
    assert "Connection refused" in text
    assert "journalctl" in text and "ping -c 3" not in text  # a host that refuses is up
    assert "data-retry" in text


def test_a_stopped_server_is_answered_for_at_once_when_the_breaker_is_open(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    troubled.client().breaker.probe_every = 60.0  # not in the midst of the last visit
    own.pause()
    for _ in range(3):
        started = Waiting()
        words_of(visit())
        assert started.seconds < 3
        if troubled.client().breaker.state is BreakerState.OPEN:
            break

    started = Waiting()
    text = words_of(visit())

    assert started.seconds < 1
    assert "Orders does not answer in time" in text
    assert "Since" in text and "Not live since" in text
    assert "This page cost the server <b>nothing</b>" in text
    own.resume()


def test_it_answers_again_within_two_seconds_after_the_fault(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    own.kill()
    while troubled.client().breaker.state is not BreakerState.OPEN:
        visit()
    own.start()

    waiting = Waiting()
    while (status := visit().status_code) != 200 and waiting.seconds < 2.5:
        time.sleep(0.1)

    assert status == 200


def test_a_trickling_reply_ends_within_the_deadline(
    own: RedisProcess, owner: User, visit: Visit, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # here a page has the time that it has for people
    with own.client() as plain:
        plain.set("x", "y" * 200)
    with Proxy(own.port) as proxy:
        Server.objects.create(name="Slow", slug="slow", nodes=f"127.0.0.1:{proxy.port}")
        assert visit(slug="slow").status_code == 200
        proxy.mode("trickle", seconds=0.1)
        started = Waiting()

        text = words_of(visit(slug="slow"))

        assert started.seconds < 3.5
        assert "Slow does not answer in time" in text


def test_a_name_that_leads_nowhere(visit: Visit, db: None) -> None:
    Server.objects.create(name="Lost", slug="lost", nodes="nowhere.invalid:6379")

    text = words_of(visit(slug="lost"))

    assert "Lost has a name that leads nowhere" in text
    assert "getent hosts nowhere.invalid" in text


def test_tls_where_there_is_none(own: RedisProcess, visit: Visit, db: None) -> None:
    Server.objects.create(
        name="Plain", slug="plain", nodes=f"127.0.0.1:{own.port}", tls=True, tls_verify=False
    )

    text = words_of(visit(slug="plain"))

    assert "Plain cannot be reached over TLS" in text
    assert "openssl s_client" in text


def test_a_missing_socket(visit: Visit, db: None, tmp_path: Path) -> None:
    Server.objects.create(name="Socket", slug="socket", kind="unix", nodes=f"{tmp_path}/no.sock")

    text = words_of(visit(slug="socket"))

    assert f"ls -l {tmp_path}/no.sock" in text


# --- Reached, and refused ---------------------------------------------------------------------


def test_loading_shows_how_far_it_is(own: RedisProcess, troubled: Server, visit: Visit) -> None:
    with real.loading(own):
        text = words_of(visit())

        assert "Orders is loading its data" in text
        assert "read from disk" in text
        assert "data-retry" in text


def test_a_busy_script_offers_to_be_ended(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    with real.busy(own):
        text = words_of(visit())

        assert "Orders is held up by a script" in text
        assert "SCRIPT KILL" in text


def test_full_memory_refuses_writes(own: RedisProcess, troubled: Server, visit: Visit) -> None:
    real.full(own)

    text = words_of(visit("SET x y", method="post"))

    assert "Orders takes no writes: its memory is full" in text
    assert "The change was not made." in text
    assert "data-retry" not in text


def test_an_unsaveable_snapshot_refuses_writes(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    real.unsaveable(own)

    text = words_of(visit("SET x y", method="post"))

    assert "it cannot save to disk" in text
    assert "df -h" in text


def test_a_replica_refuses_writes(own: RedisProcess, visit: Visit, db: None) -> None:
    with real.replica_of(own) as replica:
        Server.objects.create(name="Copy", slug="copy", nodes=f"127.0.0.1:{replica.port}")

        text = words_of(visit("SET x y", method="post", slug="copy"))

    assert "Copy takes no writes: it is a replica" in text
    assert "Edit server" in text


def test_a_replica_that_lost_its_primary(own: RedisProcess, visit: Visit, db: None) -> None:
    with real.replica_of(own) as replica:
        Server.objects.create(name="Copy", slug="copy", nodes=f"127.0.0.1:{replica.port}")
        with replica.client() as plain:
            plain.config_set("replica-serve-stale-data", "no")
        own.kill()
        with replica.client() as plain:
            while plain.info("replication")["master_link_status"] == "up":
                time.sleep(0.02)

        text = words_of(visit(slug="copy"))

    assert "Copy serves nothing: it lost its primary" in text


@pytest.mark.parametrize("binary", [real.VALKEY, real.REDIS])
def test_a_missing_right_is_named_with_the_line_that_gives_it(
    binary: str | None, visit: Visit, db: None
) -> None:
    if binary is None:
        pytest.skip("no redis-server on PATH")
    with real.running(binary=binary) as process:
        with process.client() as plain:
            plain.acl_setuser(
                "looker", enabled=True, nopass=True, keys=["shop:*"], commands=["+get"]
            )
        Server.objects.create(
            name="Narrow", slug="narrow", nodes=f"127.0.0.1:{process.port}", username="looker"
        )

        command = words_of(visit("CONFIG GET maxmemory", slug="narrow"), 403)
        key = words_of(visit("GET other", slug="narrow"), 403)

    assert "Narrow does not let the console do this" in command
    assert "ACL SETUSER looker +config|get" in command
    assert "ACL SETUSER looker ~&lt;pattern of its keys&gt;" in key
    assert "data-retry" not in command


@pytest.mark.parametrize(
    ("password", "detail"), [("wrong", "WRONGPASS"), ("", "NOAUTH")], ids=["wrong", "none"]
)
def test_a_refused_sign_in_never_shows_the_password(
    password: str, detail: str, visit: Visit, db: None
) -> None:
    with real.running("--requirepass", "right-canary") as process:
        server = Server(name="Locked", slug="locked", nodes=f"127.0.0.1:{process.port}")
        server.set_secret("password", f"{password}-canary" if password else "")
        server.save()

        text = words_of(visit(slug="locked"))

    assert "Locked does not accept the console&#x27;s sign-in" in text
    assert detail in text
    assert "canary" not in text


def test_no_connection_is_left(visit: Visit, db: None) -> None:
    with real.running("--maxclients", "10") as process:
        held = [process.client(single_connection_client=True) for _ in range(10)]
        for client in held:
            client.ping()
        Server.objects.create(name="Crowd", slug="crowd", nodes=f"127.0.0.1:{process.port}")

        text = words_of(visit(slug="crowd"))

        for client in held:
            client.close()
    assert "Crowd takes no more connections" in text


def test_a_cluster_that_is_configured_as_one_server(
    visit: Visit, db: None, own: RedisProcess
) -> None:
    with real.ClusterNode("--cluster-enabled", "yes", binary=real.VALKEY) as node:
        Server.objects.create(name="Node", slug="node", nodes=f"127.0.0.1:{node.port}")

        text = words_of(visit(slug="node"))

    assert "does not serve all of its slots" in text
    assert "CLUSTER NODES" in text


def test_a_lost_reply_to_a_write_is_not_called_a_failure(
    own: RedisProcess, visit: Visit, db: None
) -> None:
    with Proxy(own.port) as proxy:
        Server.objects.create(name="Wire", slug="wire", nodes=f"127.0.0.1:{proxy.port}")
        visit(slug="wire")
        proxy.mode("lose_reply", match=b"INCR")

        text = words_of(visit("INCR n", method="post", slug="wire"))

    assert "Wire did not say whether it made the change" in text
    assert "may have been made" in text
    assert "data-retry" not in text
    with own.client() as plain:
        assert plain.get("n") == b"1"


def test_a_secret_that_does_not_open_is_explained(visit: Visit, db: None) -> None:
    server = Server(name="Moved", slug="moved", nodes="127.0.0.1:1")
    server.set_secret("password", "x")
    server.sealed = {"password": server.sealed["password"].replace("v1.", "v1.00000000", 1)}
    server.save()

    text = words_of(visit(slug="moved"))

    assert "REDISOPS_ENCRYPTION_KEYS" in text


# --- Other forms of the answer ----------------------------------------------------------------


def test_a_fragment_gets_a_strip_and_keeps_the_visit(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    own.kill()

    response = visit(
        **{"HX-Request": "true", "HX-Current-URL": "http://testserver/servers/orders/"}
    )

    text = words_of(response)
    assert "<html" not in text
    assert response["HX-Retarget"] == "#strip"
    assert 'href="/servers/orders/"' in text
    assert "HX-Request" in response["Vary"]


def test_a_page_that_looks_again_gets_no_frame(
    own: RedisProcess, troubled: Server, visit: Visit
) -> None:
    own.kill()

    response = visit(**{"X-Retry": "3"})

    assert "<html" not in words_of(response)
    assert 'id="trouble" data-retry="' in response.content.decode()


def test_json_is_answered_with_json(own: RedisProcess, troubled: Server, visit: Visit) -> None:
    own.kill()

    response = visit(Accept="application/json")

    told = json.loads(response.content)
    assert response.status_code == 503
    assert told["cause"] == "unreachable"
    assert told["server"] == "orders"
    assert {"error", "sentence", "effect", "next_step", "detail"} <= set(told)


def test_a_viewer_is_offered_nothing_that_they_may_not_do(
    own: RedisProcess, viewer: User, server: Server, client_for: ClientFor
) -> None:
    server.nodes = f"127.0.0.1:{own.port}"
    server.save()
    own.kill()

    text = words_of(client_for(viewer).get("/servers/shop/send/"))

    assert "Edit server" not in text


def test_other_servers_are_not_affected(
    own: RedisProcess, troubled: Server, server: Server, visit: Visit
) -> None:
    own.pause()
    visit()

    started = Waiting()
    assert visit(slug="shop").status_code == 200

    assert started.seconds < 1
    own.resume()


# --- The database -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("database is locked", "is busy"),
        ("database or disk is full", "cannot write"),
        ("connection to server at db failed: FATAL: password for sa-canary", "does not answer"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_sql_trouble_has_a_page_of_its_own_that_tells_no_stranger_why(
    words: str, title: str, headers: dict[str, str], rf: RequestFactory
) -> None:
    response = middleware.answer(rf.get("/", headers=headers), OperationalError(words))

    assert response is not None and response.status_code == 503
    text = response.content.decode()
    assert title in text
    assert "canary" not in text
    if not headers:
        assert_valid_html(response)


def test_bugs_are_not_called_trouble(rf: RequestFactory) -> None:
    assert middleware.answer(rf.get("/"), ValueError("a bug")) is None
