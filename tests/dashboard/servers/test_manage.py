"""Adding, changing, checking, sharing and forgetting servers in the browser."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from dashboard.accounts.models import Team, User
from dashboard.accounts.roles import Role
from dashboard.audit.models import Entry
from dashboard.servers import home
from dashboard.servers.models import Grant, Server
from tests.dashboard.conftest import assert_valid_html
from tests.servers import Certificates, RedisProcess

ClientFor = Callable[[User | None], Client]
CANARY = "canary-Zx81-päss"


@pytest.fixture
def console(owner: User, client_for: ClientFor) -> Client:
    return client_for(owner)


def fields(**more: str) -> dict[str, str]:
    """A form as the browser sends it when somebody fills in these fields."""
    return {
        "name": "Orders",
        "kind": "standalone",
        "nodes": "db.example:6379",
        "tls_verify": "on",
        "watched": "on",
    } | more


def saved(console: Client, **more: str) -> Server:
    response = console.post(reverse("servers:create"), fields(**more))
    assert response.status_code == 302, response.content.decode()
    return Server.objects.get(slug=response["Location"].strip("/").split("/")[-1])


# --- Add ---------------------------------------------------------------------------------------


def test_the_form_is_a_page(console: Client) -> None:
    response = console.get(reverse("servers:create"))

    assert response.status_code == 200
    assert_valid_html(response)


def test_adding_by_parts(console: Client) -> None:
    server = saved(console, password=CANARY, username="console", environment="production", db="3")

    assert (server.slug, server.url, server.username) == (
        "orders",
        "redis://db.example:6379/3",
        "console",
    )
    assert server.secret("password") == CANARY
    assert server.is_production
    entry = Entry.objects.get(action="servers.create")
    assert (entry.actor, entry.server, entry.after["stored"]) == ("owner", "orders", ["password"])


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "rediss://me:s%40fe@db.example:6380/2",
            {"kind": "standalone", "nodes": "db.example:6380", "db": 2, "username": "me"},
        ),
        ("redis+cluster://n1:7000,n2:7001", {"kind": "cluster", "nodes": "n1:7000,n2:7001"}),
        (
            "redis+sentinel://s1,s2:26380/shop/1",
            {"kind": "sentinel", "nodes": "s1:26379,s2:26380", "service": "shop", "db": 1},
        ),
        ("unix:///run/redis.sock?db=4", {"kind": "unix", "nodes": "/run/redis.sock", "db": 4}),
        ("redis://[::1]:6379", {"nodes": "[::1]:6379"}),
    ],
)
def test_adding_by_url(console: Client, url: str, wanted: dict[str, object]) -> None:
    server = saved(console, url=url, nodes="")

    assert {name: getattr(server, name) for name in wanted} == wanted
    assert server.tls == url.startswith("rediss:")
    if "me:" in url:
        assert server.secret("password") == "s@fe"


def test_names_that_look_alike_get_slugs_of_their_own(console: Client) -> None:
    first, second = saved(console, name="Orders"), saved(console, name="orders!")
    other, add = saved(console, name="注文"), saved(console, name="Add")

    assert (first.slug, second.slug, other.slug, add.slug) == (
        "orders",
        "orders-2",
        "server",
        "add-2",
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"nodes": ""}, "Name a host"),
        ({"nodes": "db:99999"}, "is not a port"),
        ({"nodes": "a:1,b:2"}, "several are a cluster or Sentinels"),
        ({"nodes": "169.254.169.254:80"}, "never connects to link-local, metadata"),
        ({"nodes": "0xa9fea9fe"}, "never connects to link-local, metadata"),
        ({"url": "http://db"}, "starts with none of"),
        ({"url": "redis://169.254.169.254"}, "never connects to link-local, metadata"),
        ({"kind": "sentinel", "nodes": "s1"}, "Name the service"),
        ({"kind": "cluster", "db": "3"}, "database 0 only"),
        ({"kind": "unix", "nodes": "redis.sock"}, "begins with a slash"),
        ({"kind": "zoo"}, "Select a valid choice"),
        ({"tls": "on", "tls_ca": "/etc/passwd"}, "no certificate in PEM text"),
        ({"tls": "on", "tls_key": "/etc/shadow"}, "Paste the key as PEM text"),
        ({"name": "a\u202eb"}, "cannot be seen"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    console: Client, more: dict[str, str], words: str
) -> None:
    response = console.post(reverse("servers:create"), fields(**more))

    assert response.status_code == 422
    assert words in response.content.decode()
    assert_valid_html(response)
    assert not Server.objects.filter(name=more.get("name", "Orders")).exists()


def test_a_certificate_needs_its_own_key(console: Client, tmp_path: Path) -> None:
    files = Certificates(tmp_path)
    pem = {
        name: Path(files.path(name)).read_text()
        for name in ("client.crt", "client.key", "server.key")
    }

    wrong = fields(tls="on", tls_certificate=pem["client.crt"], tls_key=pem["server.key"])
    response = console.post(reverse("servers:create"), wrong)
    assert response.status_code == 422
    assert "does not belong to the certificate" in response.content.decode()

    server = saved(console, tls="on", tls_certificate=pem["client.crt"], tls_key=pem["client.key"])
    assert server.secret("tls_key") == pem["client.key"].strip()


# --- Change ------------------------------------------------------------------------------------


def test_secrets_never_come_back(console: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = saved(console, password=CANARY)
    edit, check = reverse("servers:update", args=[server.slug]), reverse("servers:check")
    with_url = fields(url=f"redis://me:{CANARY}@127.0.0.1:1/0", name="")

    answers = [
        console.get(edit),
        console.get(reverse("servers:index")),
        console.post(edit, with_url),
        console.post(reverse("servers:create"), with_url),
        console.post(reverse("servers:create"), fields(url=f"redis://me:{CANARY}@", name="x")),
        console.post(check, fields(slug=server.slug, name="Orders")),
        console.post(check, fields(url=f"redis://me:{CANARY}@127.0.0.1:1/0")),
        console.get(reverse("audit:index")),
    ]

    for answer in answers:
        assert CANARY not in answer.content.decode()
    assert "unchanged unless typed" in answers[0].content.decode()
    assert CANARY not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM servers_server")
        assert CANARY not in str(cursor.fetchall())
    assert CANARY not in json.dumps(list(Entry.objects.values()), default=str)


def test_an_empty_secret_keeps_the_stored_one(console: Client) -> None:
    server = saved(console, password=CANARY)

    response = console.post(reverse("servers:update", args=["orders"]), fields(note="night shift"))

    assert response.status_code == 302
    server.refresh_from_db()
    assert (server.note, server.secret("password")) == ("night shift", CANARY)


@pytest.mark.parametrize(
    "more", [{"nodes": "evil.example:6379"}, {"kind": "cluster"}, {"tls": "on", "tls_verify": ""}]
)
def test_a_stored_secret_does_not_travel_to_a_new_address(
    console: Client, more: dict[str, str]
) -> None:
    server = saved(console, password=CANARY)
    edit = reverse("servers:update", args=["orders"])

    refused = console.post(edit, fields(**more))
    checked = console.post(reverse("servers:check"), fields(slug="orders", **more))

    assert refused.status_code == checked.status_code == 422
    assert "not sent to a new address" in refused.content.decode()
    server.refresh_from_db()
    assert server.nodes == "db.example:6379"

    assert console.post(edit, fields(password="other", **more)).status_code == 302
    server.refresh_from_db()
    assert server.secret("password") == "other"


def test_a_stored_secret_can_be_forgotten(console: Client) -> None:
    server = saved(console, password=CANARY)

    console.post(reverse("servers:update", args=["orders"]), fields(forget="password", nodes="b:1"))

    server.refresh_from_db()
    assert (server.nodes, server.sealed) == ("b:1", {})


def test_home_keeps_its_address_and_takes_a_mark(console: Client) -> None:
    home.ensure()
    edit = reverse("servers:update", args=["home"])

    assert "REDIS_URL" in console.get(edit).content.decode()
    response = console.post(edit, {"environment": "production", "nodes": "evil:1", "note": "x"})

    server = Server.objects.get(slug="home")
    assert response.status_code == 302
    assert (server.environment, server.nodes) == ("production", "")


def test_an_admin_of_one_server_reaches_no_socket_of_this_machine(
    server: Server, stranger: User, client_for: ClientFor
) -> None:
    Grant.objects.create(server=server, user=stranger, role=Role.ADMIN)

    response = client_for(stranger).post(
        reverse("servers:update", args=["shop"]),
        fields(name="Shop", kind="unix", nodes="/run/docker.sock"),
    )

    assert response.status_code == 422
    assert "its administrators only" in response.content.decode()


# --- Forget ------------------------------------------------------------------------------------


def test_forgetting_asks_for_the_name_and_touches_no_key(
    console: Client, server: Server, target: RedisProcess
) -> None:
    with target.client() as plain:
        plain.set("kept", 1)
    url = reverse("servers:delete", args=["shop"])

    asked = console.get(url)
    wrong = console.post(url, {"confirm": "shop?"})
    assert (asked.status_code, wrong.status_code) == (200, 422)
    assert_valid_html(wrong)
    assert Server.objects.filter(slug="shop").exists()

    done = console.post(url, {"confirm": "Shop", "reason": "moved"})

    assert done.status_code == 302
    assert not Server.objects.filter(slug="shop").exists()
    entry = Entry.objects.get(action="servers.delete")
    assert (entry.target, entry.reason) == ("Shop", "moved")
    with target.client() as plain:
        assert plain.get("kept") == b"1"


def test_home_cannot_be_forgotten(console: Client) -> None:
    home.ensure()

    response = console.post(reverse("servers:delete", args=["home"]), {"confirm": "Home"})

    assert response.status_code == 409
    assert_valid_html(response)
    assert Server.objects.filter(slug="home").exists()


# --- Share -------------------------------------------------------------------------------------


def test_giving_changing_and_taking_a_role(console: Client, server: Server, stranger: User) -> None:
    url = reverse("servers:grants", args=["shop"])
    team = Team.objects.create(name="Orders")

    assert console.post(url, {"holder": f"user:{stranger.pk}", "role": "viewer"}).status_code == 302
    assert console.post(url, {"holder": f"team:{team.pk}", "role": "operator"}).status_code == 302
    assert_valid_html(console.get(url))
    mine = Grant.objects.get(user=stranger)
    change = reverse("servers:grant", args=["shop", mine.pk])
    console.post(change, {"role": "operator"})
    mine.refresh_from_db()
    assert mine.role == Role.OPERATOR
    console.post(change, {"role": ""})

    assert not Grant.objects.filter(user=stranger).exists()
    assert list(Entry.objects.order_by("number").values_list("action", "target")) == [
        ("servers.grant", "stranger"),
        ("servers.grant", "team Orders"),
        ("servers.grant", "stranger"),
        ("servers.revoke", "stranger"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"holder": "user:1", "role": "owner"},
        {"holder": "user:999", "role": "viewer"},
        {"holder": "x"},
        {},
    ],
)
def test_nonsense_gives_no_role(console: Client, server: Server, data: dict[str, str]) -> None:
    response = console.post(reverse("servers:grants", args=["shop"]), data)

    assert response.status_code == 422
    assert_valid_html(response)
    assert not Grant.objects.exists()


def test_nobody_shuts_themselves_out(server: Server, stranger: User, client_for: ClientFor) -> None:
    grant = Grant.objects.create(server=server, user=stranger, role=Role.ADMIN)
    console = client_for(stranger)
    url = reverse("servers:grant", args=["shop", grant.pk])

    for role in ("", "viewer"):
        answer = console.post(url, {"role": role}, follow=True)
        assert "you would have shut yourself out" in answer.content.decode()

    grant.refresh_from_db()
    assert grant.role == Role.ADMIN
    assert Entry.objects.filter(result="refused").count() == 2


def test_a_grant_of_another_server_is_not_reached_through_this_one(
    server: Server, stranger: User, owner: User, client_for: ClientFor
) -> None:
    other = Server.objects.create(name="Other", slug="other", nodes="b:1")
    grant = Grant.objects.create(server=other, user=owner, role=Role.VIEWER)
    Grant.objects.create(server=server, user=stranger, role=Role.ADMIN)

    response = client_for(stranger).post(
        reverse("servers:grant", args=["shop", grant.pk]), {"role": ""}
    )

    assert response.status_code == 404
    assert Grant.objects.filter(pk=grant.pk).exists()


def test_changes_answer_no_get(console: Client, server: Server) -> None:
    grant = Grant.objects.create(server=server, user=User.objects.get(), role=Role.VIEWER)

    assert console.get(reverse("servers:check")).status_code == 405
    assert console.get(reverse("servers:grant", args=["shop", grant.pk])).status_code == 405


def test_nothing_is_changed_when_the_audit_cannot_be_written(
    console: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        from django.db import OperationalError

        raise OperationalError("database or disk is full")

    monkeypatch.setattr("dashboard.audit.writing._append", full)

    answers = [
        console.post(reverse("servers:create"), fields()),
        console.post(reverse("servers:update", args=["shop"]), fields(name="Renamed")),
        console.post(reverse("servers:delete", args=["shop"]), {"confirm": "Shop"}),
    ]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert list(Server.objects.values_list("name", flat=True)) == ["Shop"]
