"""Servers and grants as rows."""

from __future__ import annotations

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from dashboard.accounts.models import Team, User
from dashboard.accounts.roles import Role
from dashboard.servers import home
from dashboard.servers.models import Grant, Server


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"nodes": "db.example:6379", "db": 3}, "redis://db.example:6379/3"),
        ({"nodes": "[::1]:6379", "tls": True}, "rediss://[::1]:6379/0"),
        (
            {"kind": "unix", "nodes": "/run/redis server.sock"},
            "unix:///run/redis%20server.sock?db=0",
        ),
        (
            {"kind": "sentinel", "nodes": "s1,s2:26380", "service": "shop/a", "tls": True},
            "rediss+sentinel://s1:26379,s2:26380/shop%2Fa/0",
        ),
        ({"kind": "cluster", "nodes": "n1:7000 n2:7001"}, "redis+cluster://n1:7000,n2:7001"),
    ],
)
def test_a_row_becomes_one_url(fields: dict[str, object], url: str) -> None:
    server = Server(name="Shop", slug="shop", **fields)

    assert server.url == url
    assert server.endpoint.topology in ("standalone", "sentinel", "cluster")


def test_home_is_made_once_and_lives_where_the_settings_say(db: None) -> None:
    Server.objects.create(name="Home", slug="casa", nodes="a:1")

    call_command("ensure_home", stdout=StringIO())
    first = home.ensure()

    assert Server.objects.filter(slug="home").count() == 1
    assert first.name == "Home 2"
    assert first.url == settings.REDIS_URL
    assert first.is_home and not first.is_editable
    assert first.client().ping()


def test_the_consoles_own_keys_are_protected_on_every_server(server: Server) -> None:
    assert server.protects(f"{settings.HOME_PREFIX}session:x".encode())
    assert not server.protects(b"session:x")


def test_a_grant_is_to_a_person_or_to_a_team(server: Server, stranger: User) -> None:
    team = Team.objects.create(name="Orders")
    Grant.objects.create(server=server, team=team, role=Role.VIEWER)

    for wrong in ({}, {"user": stranger, "team": team}, {"team": team}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.create(server=server, role=Role.VIEWER, **wrong)


def test_the_digest_changes_with_what_connects_and_with_nothing_else(server: Server) -> None:
    before = server.digest
    server.note, server.environment, server.name = "moved", "production", "Shop 2"
    assert server.digest == before

    for field, value in (("nodes", "b:1"), ("username", "me"), ("db", 2), ("tls", True)):
        setattr(server, field, value)
        assert server.digest != before
        before = server.digest
    server.set_secret("password", "x")
    assert server.digest != before


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", "servers", check=True, dry_run=True, stdout=StringIO())


@pytest.mark.django_db(transaction=True)
def test_migrations_go_back_and_forth() -> None:
    executor = MigrationExecutor(connection)
    # Of all apps: those that stand on this one go back with it, and later tests need them too.
    leaves = executor.loader.graph.leaf_nodes()
    tables = set(connection.introspection.table_names())

    executor.migrate([("servers", None)])
    assert "servers_server" not in connection.introspection.table_names()

    executor = MigrationExecutor(connection)
    executor.migrate(leaves)
    assert set(connection.introspection.table_names()) == tables
