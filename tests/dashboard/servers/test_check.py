"""The connection check says at which step it ends and what to do: real faulty servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.servers.editing import check, rights
from dashboard.servers.models import Server
from tests import servers as real
from tests.dashboard.conftest import assert_valid_html
from tests.faults.proxy import Proxy
from tests.servers import Certificates, RedisProcess
from tests.waiting import Waiting

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(certificates: Certificates) -> Iterator[int]:
    """The TLS port of a Redis that asks its clients for a certificate."""
    if real.REDIS is None:
        pytest.skip("the embedded server is built without TLS")
    port = real.free_port()
    arguments = real.tls_arguments(certificates, port, clients="yes")
    with real.running(*arguments, binary=real.REDIS):
        yield port


def outcome(**fields: object) -> check.Check:
    """The check of an unsaved row, within the time that a page may take."""
    password = fields.pop("password", "")
    key = fields.pop("tls_key", "")
    server = Server(name="New", slug="new", **fields)
    server.set_secret("password", str(password))
    server.set_secret("tls_key", str(key))
    started = Waiting()
    done = check.run(server)
    assert started.seconds < 3
    return done


def said(done: check.Check) -> str:
    return "\n".join(f"{f.state} {f.step}: {f.seen} {f.do}" for f in done.findings)


def test_a_good_server_is_good(target: RedisProcess) -> None:
    done = outcome(nodes=f"127.0.0.1:{target.port}")

    assert done.is_well, said(done)
    assert done.verdict == "It can be used."
    assert "Valkey" in said(done) and "may do all that the pages need" in said(done)


def test_a_closed_port() -> None:
    done = outcome(nodes=f"127.0.0.1:{real.free_port()}")

    assert not done.is_well
    assert "refuses the connection" in said(done) and "nothing listens on this port" in said(done)


def test_an_unknown_name() -> None:
    assert 'bad Find the host: "nowhere.invalid" has no address' in said(
        outcome(nodes="nowhere.invalid:6379")
    )


def test_an_address_that_is_not_allowed() -> None:
    done = outcome(nodes="169.254.169.254:80")

    assert "never connects to link-local, metadata" in said(done)
    assert len(done.findings) == 1


def test_a_stopped_server(target: RedisProcess) -> None:
    target.pause()
    try:
        done = outcome(nodes=f"127.0.0.1:{target.port}")
    finally:
        target.resume()

    assert "accepts the connection and says nothing" in said(done)


def test_something_that_is_no_redis(target: RedisProcess) -> None:
    with Proxy(target.port) as proxy:
        proxy.mode("blackhole")
        assert "says nothing" in said(outcome(nodes=f"127.0.0.1:{proxy.port}"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "It wants a password"),
        ({"password": "wrong"}, "“default” is off, not there, or has another password"),
        ({"username": "ghost", "password": "right"}, "“ghost” is off, not there"),
    ],
)
def test_a_wrong_sign_in(fields: dict[str, str], words: str) -> None:
    with real.running("--requirepass", "right") as process:
        done = outcome(nodes=f"127.0.0.1:{process.port}", **fields)
        good = outcome(nodes=f"127.0.0.1:{process.port}", password="right")

    assert words in said(done) and "bad Sign in" in said(done)
    assert good.is_well


def test_a_password_where_none_is_wanted(target: RedisProcess) -> None:
    done = outcome(nodes=f"127.0.0.1:{target.port}", username="ghost", password="x")

    assert "bad Sign in" in said(done)


def test_plain_where_tls_is_spoken(secure: int) -> None:
    assert "turn TLS on" in said(outcome(nodes=f"127.0.0.1:{secure}"))


def test_tls_where_plain_is_spoken(target: RedisProcess) -> None:
    done = outcome(nodes=f"127.0.0.1:{target.port}", tls=True)

    assert "bad Encrypt" in said(done) and "may not speak TLS" in said(done), said(done)


def test_an_unknown_authority(secure: int) -> None:
    assert "paste the CA's certificate" in said(outcome(nodes=f"127.0.0.1:{secure}", tls=True))


def test_another_name(secure: int, certificates: Certificates) -> None:
    done = outcome(
        nodes=f"127.0.0.1:{secure}",
        tls=True,
        tls_server_name="redis.example",
        tls_ca=Path(certificates.path("ca.crt")).read_text(),
    )

    assert "made for another name" in said(done)


def test_a_missing_and_a_good_client_certificate(secure: int, certificates: Certificates) -> None:
    pem = {
        name: Path(certificates.path(name)).read_text()
        for name in ("ca.crt", "client.crt", "client.key")
    }
    place = {"nodes": f"127.0.0.1:{secure}", "tls": True, "tls_ca": pem["ca.crt"]}

    missing = outcome(**place)
    good = outcome(**place, tls_certificate=pem["client.crt"], tls_key=pem["client.key"])

    assert not missing.is_well
    assert good.is_well and "speaks TLSv1" in said(good), said(good)


def test_one_node_of_a_cluster_given_as_a_server() -> None:
    with real.ClusterNode("--cluster-enabled", "yes", binary=real.VALKEY) as node:
        done = outcome(nodes=f"127.0.0.1:{node.port}")

    assert "This is one node of a cluster" in said(done) and "Choose Cluster" in said(done)


def test_a_server_given_as_a_cluster(target: RedisProcess) -> None:
    done = outcome(kind="cluster", nodes=f"127.0.0.1:{target.port}")

    assert not done.is_well and "choose Standalone" in said(done).replace("Choose", "choose")


def test_a_replica_is_a_remark(target: RedisProcess) -> None:
    with real.replica_of(target) as replica:
        done = outcome(nodes=f"127.0.0.1:{replica.port}")

    assert done.is_well and "it takes no writes" in said(done)


def test_home_under_another_name_is_a_remark(home_process: RedisProcess) -> None:
    done = outcome(nodes=f"127.0.0.1:{home_process.port}")

    assert done.is_well and "that the console itself runs on" in said(done)


def test_a_sentinel_given_as_a_server_and_a_service_that_it_does_not_know() -> None:
    with real.Watched() as watched:
        sentinel = f"127.0.0.1:{watched.sentinels[0].port}"
        as_server = outcome(nodes=sentinel)
        unknown = outcome(kind="sentinel", nodes=sentinel, service="nothing")
        good = outcome(kind="sentinel", nodes=sentinel, service=watched.service)

    assert "This is a Sentinel" in said(as_server)
    assert "know no service “nothing”" in said(unknown)
    assert good.is_well, said(good)


# --- Rights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [real.VALKEY, real.REDIS])
@pytest.mark.parametrize("with_multi", [True, False])
def test_missing_rights_are_found_without_doing_anything(
    binary: str | None, with_multi: bool
) -> None:
    if binary is None:
        pytest.skip("no redis-server on PATH")
    rules = ["~*", "+@all", "-config|get", "-memory|usage", "-@write", "-@dangerous", "+info"]
    if not with_multi:
        rules.append("-multi")
    with real.running(binary=binary) as process:
        with process.client() as plain:
            plain.set("x", 1)
            plain.execute_command("ACL", "SETUSER", "narrow", "on", "nopass", *rules)
        server = Server(
            name="New", slug="new", nodes=f"127.0.0.1:{process.port}", username="narrow"
        )
        report = rights.check(server.client())
        with process.client() as plain:
            line = report.line.split(" ")
            plain.execute_command(*line)
        again = rights.check(server.client())

    refused = {name for area in report.areas for name in area.refused}
    assert {"CONFIG GET", "MEMORY USAGE"} <= refused
    assert "SCAN" not in refused and "INFO" not in refused
    assert report.user == "narrow"
    assert report.line.startswith("ACL SETUSER narrow +")
    assert again.line == ""


def test_a_user_of_some_keys_only_is_told_apart(target: RedisProcess) -> None:
    with target.client() as plain:
        plain.execute_command("ACL", "SETUSER", "some", "reset", "on", "nopass", "~shop:*", "+@all")
    server = Server(name="New", slug="new", nodes=f"127.0.0.1:{target.port}", username="some")

    report = rights.check(server.client())

    assert report.keys_limited and report.line == ""
    with target.client() as plain:
        plain.acl_deluser("some")


# --- The page ----------------------------------------------------------------------------------


def test_the_check_answers_as_fragment_and_as_page(owner, client_for, server, target) -> None:  # type: ignore[no-untyped-def]
    console: Client = client_for(owner)
    form = {"name": "New", "kind": "standalone", "nodes": f"127.0.0.1:{target.port}"}

    fragment = console.post(reverse("servers:check"), form, headers={"HX-Request": "true"})
    page = console.post(reverse("servers:check"), form)
    stored = console.post(reverse("servers:check"), {**form, "slug": "shop"})

    for response in (fragment, page, stored):
        assert response.status_code == 200
        assert_valid_html(response)
        assert "It can be used." in response.content.decode()
    assert "<html" not in fragment.content.decode()
    assert not Server.objects.filter(name="New").exists()


def test_what_is_only_tried_needs_no_name(owner, client_for, target) -> None:  # type: ignore[no-untyped-def]
    form = {"name": "", "kind": "standalone", "nodes": f"127.0.0.1:{target.port}"}

    response = client_for(owner).post(reverse("servers:check"), form)

    assert response.status_code == 200
    assert "It can be used" in response.content.decode()


def test_a_stranger_checks_nothing(stranger, viewer, client_for, server) -> None:  # type: ignore[no-untyped-def]
    form = {"name": "x", "nodes": "127.0.0.1:1"}

    for user, slug, status in (
        (stranger, "shop", 404),
        (stranger, "", 403),
        (viewer, "shop", 403),
        (viewer, "nothing", 404),
    ):
        response = client_for(user).post(reverse("servers:check"), {**form, "slug": slug})
        assert response.status_code == status
