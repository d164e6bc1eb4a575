"""Addresses of servers: built from a row's parts, and kept away from places that are not ours.

The console connects from inside the network, so an address typed in a browser must not become a
way to reach what its author cannot reach: metadata services and link-local addresses are refused
by default, ``REDISOPS_ALLOWED_NETWORKS`` narrows the rest, and what is checked is the address
that the name resolves to, not the name.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.conf import settings

from redisops.errors import RedisopsError

if TYPE_CHECKING:
    from dashboard.servers.models import Server

NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"standalone": 6379, "cluster": 6379, "sentinel": 26379}
# Link-local, where clouds answer with credentials; their IPv6 and other well-known twins;
# "this network", multicast and broadcast, where no Redis is.
NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "0.0.0.0/8",
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
        "255.255.255.255/32",
    )
]


class AddressRefused(RedisopsError):
    """The console does not connect there; the message says why and who can change it."""


@dataclass(frozen=True)
class Node:
    """One host and port as typed."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_nodes(text: str, port: int) -> list[Node]:
    """``host[:port]`` separated by commas, spaces or lines; raises ValueError that quotes it."""
    nodes = [_node(part, port) for part in text.replace(",", " ").split()]
    if not nodes:
        raise ValueError("Name a host, such as redis.example.org:6379.")
    return nodes


def _node(text: str, default: int) -> Node:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if not host or any(c in host for c in "/@?#\\%[]") or not host.isprintable():
        raise ValueError(f'"{text}" is not host:port.')
    if not port:
        return Node(host, default)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f'"{port}" is not a port: 1 to 65535 is.')
    return Node(host, int(port))


def build_url(server: Server) -> str:
    """The row's address as one URL of ``redisops.connection``, without secrets."""
    if server.kind == "unix":
        return f"unix://{quote(server.nodes)}?db={server.db}"
    scheme = "rediss" if server.tls else "redis"
    nodes = ",".join(map(str, parse_nodes(server.nodes, PORTS[server.kind])))
    if server.kind == "cluster":
        return f"{scheme}+cluster://{nodes}"
    if server.kind == "sentinel":
        return f"{scheme}+sentinel://{nodes}/{quote(server.service, safe='')}/{server.db}"
    return f"{scheme}://{nodes}/{server.db}"


def permitted(host: str, port: int) -> list[str]:
    """The IP addresses behind ``host`` now; raises OSError or :class:`AddressRefused`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        check_address(address, host)
    return addresses


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 spelling of it reaches: mapped, 6to4 or NAT64."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def check_literal(host: str) -> None:
    """Refuse at once a host that is itself a refused IP address, in any of its spellings.

    ``2852039166``, ``0xa9fea9fe`` and ``169.254.43518`` are the same machine to the system.
    """
    try:
        check_address(host)
        return
    except ValueError:
        pass
    try:
        check_address(socket.inet_ntoa(socket.inet_aton(host)), host)
    except OSError:
        return  # a name; what it resolves to is checked when it is connected to


def check_address(address: str, host: str = "") -> None:
    """Raise :class:`AddressRefused` unless the console may connect to this IP address."""
    plain = _plain(ipaddress.ip_address(address.partition("%")[0]))
    shown = f"{host} is {address}, and" if host and host != address else f"{address}:"
    if any(plain in network for network in NEVER if network.version == plain.version):
        raise AddressRefused(
            f"{shown} the console never connects to link-local, metadata and multicast addresses."
        )
    allowed = settings.ALLOWED_NETWORKS
    if allowed and not any(
        plain in network for network in allowed if network.version == plain.version
    ):
        raise AddressRefused(
            f"{shown} REDISOPS_ALLOWED_NETWORKS of this console does not include it. "
            "Whoever runs the console can add it."
        )
