"""Servers as code: the declaration and the rows stay in step."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from dashboard.audit.models import Entry
from dashboard.servers.editing import declared
from dashboard.servers.editing.declared import DeclarationError
from dashboard.servers.models import Server

pytestmark = pytest.mark.django_db

TWO = """
- name: Orders
  environment: production
  url: rediss://console:${ORDERS_PASSWORD}@redis-1.example:6380/0
  note: the shop's orders
- name: Sessions
  slug: sess
  url: redis+cluster://n1:7000,n2:7001
  password: ${SESSIONS_PASSWORD}
  watched: false
"""


@pytest.fixture
def file(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "servers.yaml"
    path.write_text(TWO)
    settings.SERVERS_FILE = str(path)
    monkeypatch.setenv("ORDERS_PASSWORD", "p@ss:w/rd canary")
    monkeypatch.setenv("SESSIONS_PASSWORD", "other")
    return path


def test_declared_servers_are_added_with_their_secrets_from_the_environment(file: Path) -> None:
    outcome = declared.sync()

    orders, sessions = Server.objects.get(slug="orders"), Server.objects.get(slug="sess")
    assert outcome.added == ["orders", "sess"]
    assert orders.url == "rediss://redis-1.example:6380/0"
    assert orders.secret("password") == "p@ss:w/rd canary"
    assert orders.is_production and orders.declared and not orders.is_editable
    assert (sessions.kind, sessions.secret("password"), sessions.watched) == (
        "cluster",
        "other",
        False,
    )
    assert Entry.objects.filter(actor="declaration", action="servers.create").count() == 2
    assert "canary" not in str(list(Entry.objects.values()))


def test_syncing_again_changes_nothing(file: Path) -> None:
    declared.sync()
    before = list(Server.objects.values("slug", "sealed", "changed"))

    outcome = declared.sync()

    assert outcome.same == ["orders", "sess"] and not outcome.changed
    assert list(Server.objects.values("slug", "sealed", "changed")) == before


def test_a_changed_entry_changes_its_row(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared.sync()
    monkeypatch.setenv("SESSIONS_PASSWORD", "newer")
    file.write_text(TWO.replace("redis-1", "redis-2"))

    outcome = declared.sync()

    assert outcome.changed == ["orders", "sess"]
    assert Server.objects.get(slug="orders").nodes == "redis-2.example:6380"
    assert Server.objects.get(slug="sess").secret("password") == "newer"


def test_a_secret_that_is_not_declared_any_more_is_forgotten(file: Path) -> None:
    declared.sync()
    file.write_text(TWO.replace("  password: ${SESSIONS_PASSWORD}\n", ""))

    declared.sync()

    assert Server.objects.get(slug="sess").sealed == {}


def test_a_server_that_is_taken_out_is_marked_and_comes_back(
    file: Path,
    owner,
    client_for,  # type: ignore[no-untyped-def]
) -> None:
    declared.sync()
    file.write_text(TWO.split("- name: Sessions")[0])
    console: Client = client_for(owner)

    assert declared.sync().withdrawn == ["sess"]
    assert declared.sync().withdrawn == []
    gone = Server.objects.get(slug="sess")
    assert gone.withdrawn is not None and not gone.watched
    assert "No longer declared" in console.get(reverse("servers:index")).content.decode()

    file.write_text(TWO.replace("watched: false", "watched: true"))
    declared.sync()
    back = Server.objects.get(slug="sess")
    assert back.withdrawn is None and back.watched


def test_a_declared_server_is_not_edited_and_only_forgotten_when_withdrawn(
    file: Path,
    owner,
    client_for,  # type: ignore[no-untyped-def]
) -> None:
    declared.sync()
    console: Client = client_for(owner)
    edit, delete = (reverse(f"servers:{view}", args=["orders"]) for view in ("update", "delete"))

    console.post(edit, {"name": "Evil", "nodes": "evil:1", "environment": "none", "note": "mine"})
    assert console.post(delete, {"confirm": "Orders"}).status_code == 409
    row = Server.objects.get(slug="orders")
    assert (row.name, row.nodes, row.environment) == (
        "Orders",
        "redis-1.example:6380",
        "production",
    )
    assert "declared" in console.get(edit).content.decode()

    file.write_text("[]")
    declared.sync()
    assert console.post(delete, {"confirm": "Orders"}).status_code == 302
    assert not Server.objects.filter(slug="orders").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("servers: {", "is no YAML"),
        ("just text", "holds no list of servers"),
        ("- url: redis://a", "needs a name and a url"),
        ("- {name: A, url: redis://a, pasword: x}", "unknown pasword"),
        ("- {name: A, url: http://a}", "starts with none of"),
        ("- {name: A, url: 'redis://a:${NOT_THERE}@b'}", "the variable NOT_THERE is not set"),
        ("- {name: A, url: redis://169.254.169.254}", "never connects"),
        ("- {name: A, url: redis://a, watched: perhaps}", "watched is true or false"),
        ("- {name: A, url: redis://a, slug: home}", "cannot be its slug"),
        ("- {name: A, url: redis://a, environment: prod}", "Select a valid choice"),
        ("- {name: A, url: redis://a}\n- {name: a, url: redis://b}", "declared 2 times"),
        ("- !!python/object/apply:os.system ['true']", "is no YAML"),
    ],
)
def test_a_wrong_declaration_changes_nothing_and_says_where(
    file: Path, text: str, words: str
) -> None:
    declared.sync()
    file.write_text(text)

    with pytest.raises(CommandError, match="Nothing was changed") as told:
        call_command("sync_servers", stdout=StringIO())

    assert words in str(told.value)
    assert "canary" not in str(told.value)
    assert Server.objects.filter(declared=True, withdrawn__isnull=True).count() == 2


def test_the_whole_list_is_taken_or_none_of_it(file: Path) -> None:
    file.write_text(TWO + "- {name: Bad, url: 'redis://a:99999'}\n")

    with pytest.raises(DeclarationError, match="Bad"):
        declared.sync()

    assert not Server.objects.filter(declared=True).exists()


def test_a_server_of_the_browser_is_not_taken_over(file: Path) -> None:
    Server.objects.create(name="Orders", slug="orders", nodes="mine:1")

    with pytest.raises(DeclarationError, match="added in the browser"):
        declared.sync()

    assert Server.objects.get(slug="orders").nodes == "mine:1"


def test_the_variable_adds_to_the_file(file: Path, settings: Settings) -> None:
    settings.SERVERS_INLINE = "servers: [{name: Third, url: 'unix:///run/redis.sock'}]"

    declared.sync()

    assert Server.objects.filter(declared=True).count() == 3


def test_a_missing_file_is_said(settings: Settings) -> None:
    settings.SERVERS_FILE = "/nowhere/servers.yaml"

    with pytest.raises(DeclarationError, match=r"/nowhere/servers\.yaml"):
        declared.sync()
