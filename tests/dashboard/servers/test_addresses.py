"""Where the console connects to, and where never."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import pytest
import redis
from pytest_django.fixtures import Settings

from dashboard.servers import clients, home
from dashboard.servers.addresses import (
    AddressRefused,
    Node,
    check_address,
    check_literal,
    parse_nodes,
    permitted,
)
from dashboard.servers.models import Server
from tests.servers import RedisProcess


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",  # metadata of most clouds
        "2852039166",  # the same as one number
        "0xa9fea9fe",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "2002:a9fe:a9fe::1",  # 6to4
        "64:ff9b::169.254.169.254",  # NAT64
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_addresses_that_are_never_connected_to(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_literal(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.4.2.19", "192.168.1.1", "8.8.8.8", "::1", "redis"]
)
def test_private_and_public_addresses_are_fine_by_default(host: str) -> None:
    check_literal(host)


def test_allowed_networks_narrow_it(settings: Settings) -> None:
    settings.ALLOWED_NETWORKS = [
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fd12::/16"),
    ]

    check_address("10.1.2.3")
    check_address("fd12::5")
    for other in ("127.0.0.1", "192.168.0.1", "fd13::1", "::ffff:192.168.0.1"):
        with pytest.raises(AddressRefused, match="REDISOPS_ALLOWED_NETWORKS"):
            check_address(other)
    check_address("::ffff:10.1.2.3")


def test_it_is_the_resolved_address_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolver(host: str, port: int, *rest: object, **options: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)

    with pytest.raises(AddressRefused, match=r"redis\.example is 169\.254\.169\.254"):
        permitted("redis.example", 6379)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("db", [Node("db", 6379)]),
        ("db:1, [::1]:2\n::1", [Node("db", 1), Node("::1", 2), Node("::1", 6379)]),
    ],
)
def test_nodes_are_read(text: str, nodes: list[Node]) -> None:
    assert parse_nodes(text, 6379) == nodes


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ",
        "db:0",
        "db:65536",
        "db:x",
        ":6379",
        "user@db",
        "http://db",
        "db/0",
        "db#1",
        "d\x00b",
        "db:６３７９",
    ],
)
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|Name a host"):
        parse_nodes(text, 6379)


def test_a_name_that_leads_elsewhere_by_then_is_not_followed(
    settings: Settings, target: RedisProcess, db: None
) -> None:
    """Checked at each connection too: what a name meant when it was saved may change."""
    server = Server(name="Shop", slug="shop", nodes=f"localhost:{target.port}")
    assert server.client().ping()
    settings.ALLOWED_NETWORKS = [ipaddress.ip_network("10.0.0.0/8")]
    clients.forget_all()

    with pytest.raises(AddressRefused):
        server.client().ping()

    async def ask() -> None:
        await server.async_client().ping()

    with pytest.raises(redis.ConnectionError, match="REDISOPS_ALLOWED_NETWORKS"):
        asyncio.run(ask())
    with target.client() as plain:
        assert not [c for c in plain.client_list() if c["name"] == clients.NAME]


def test_home_is_where_the_settings_say_whatever_is_allowed(settings: Settings, db: None) -> None:
    settings.ALLOWED_NETWORKS = [ipaddress.ip_network("10.0.0.0/8")]

    assert home.ensure().client().ping()
