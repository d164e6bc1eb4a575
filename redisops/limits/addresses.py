"""Client addresses: whose a request is behind proxies, and which addresses count as one."""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass

MOST_HOPS = 32  # entries of X-Forwarded-For that are looked at, from the right
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Trusted:
    """Proxies whose word is taken: how many stand before the service, or their networks.

    ``proxies``: the number that every request passes. ``networks`` (``10.0.0.0/8``): from where
    proxies connect; a request from elsewhere is not believed. With both, either suffices: the
    nearest ``proxies`` whatever their address, beyond them those of the networks.
    """

    proxies: int = 0
    networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _networks(self.networks)  # ValueError for what is no network


@functools.lru_cache(maxsize=4096)
def grouped(ip: str) -> str:
    """The address under which a client is counted: IPv4 itself, IPv6 its /64 (one subscriber).

    ``::ffff:192.0.2.1`` is IPv4. What is no address is given back as it is. ``2001:db8::/64`` is
    given back, too.
    """
    address = parsed(ip.removesuffix("/64"))
    if address is None or (ip.endswith("/64") and address.version == 4):
        return ip
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def client_address(peer: str, forwarded_for: str, trusted: Trusted) -> str:
    """The client's address: ``peer`` is who connected, ``forwarded_for`` X-Forwarded-For's text.

    Several such headers are joined by ``,``. Read from the right, only as far as trusted proxies
    wrote it: what a client put in itself is never believed. Without trust it is ``peer``; where an
    entry is missing or no address, it is the last one that a trusted proxy vouched for.
    """
    if not (trusted.proxies or trusted.networks) or not forwarded_for:
        return peer
    networks = _networks(trusted.networks)
    seen = peer
    hops = forwarded_for.rsplit(",", MOST_HOPS)[-MOST_HOPS:]
    for passed, entry in enumerate(reversed(hops)):
        if passed >= trusted.proxies and not _within(seen, networks):
            break
        address = parsed(_without_port(entry.strip()))
        if address is None:
            break
        seen = str(address)
    return seen


def _without_port(entry: str) -> str:
    """``192.0.2.1:4711`` and ``[2001:db8::1]:4711`` without the port that some proxies add."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    host, _, port = entry.partition(":")
    return host if port.isdigit() and ":" not in port else entry


def parsed(text: str) -> Address | None:
    """The address that is written; ``::ffff:192.0.2.1`` is IPv4. None for what is none."""
    if len(text) > 64:
        return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _within(ip: str, networks: tuple[Network, ...]) -> bool:
    address = parsed(ip)
    return address is not None and any(address in network for network in networks)


@functools.lru_cache(maxsize=16)
def _networks(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)
