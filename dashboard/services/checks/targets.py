"""Where the console may connect for a check: an allow-list, and places where it never may.

Whoever may write to a Redis may register any address, and get the console to connect to it. So:

* only addresses of ``CHECK_NETWORKS`` (none without it); private and loopback addresses only by a
  network that lies within such a range itself: ``0.0.0.0/0`` does not mean them;
* never link-local, metadata, multicast, unspecified and reserved addresses, in none of their
  spellings (mapped, 6to4, Teredo, NAT64, decimal, octal);
* never the console's own Redis, broker and database, never a registered server's address and port,
  on a machine of ours under any of its addresses, and Redis's usual ports for a PING at most;
* a name is resolved once, every answer must be allowed, and the literal address is connected to;
  ``pinned`` says whether the socket ended there.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from django.conf import settings

from dashboard.servers.addresses import NEVER
from dashboard.servers.models import Server
from redisops.connection.urls import parse_url
from redisops.errors import InvalidArgument, RedisopsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

REDIS_PORTS = frozenset([6379, 6380, 16379, 26379])
KNOWN_SECONDS = 20.0
_RESERVED = ipaddress.ip_network("240.0.0.0/4")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_HERE = ipaddress.ip_network("64:ff9b:1::/48")  # where the IPv4 part lies is each site's own
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "oracle": 1521}


class Refused(RedisopsError):
    """The console does not connect there; the message says why and who can change it."""


@dataclass(frozen=True)
class Own:
    """Where the console and the servers that it knows are: never checked.

    ``places`` are addresses with their ports; ``local_ports`` those of them on this machine, which
    answers under other addresses too; ``names`` hosts with ports, also while they do not resolve.
    """

    places: frozenset[tuple[Address, int]] = frozenset()
    local_ports: frozenset[int] = frozenset()
    names: frozenset[tuple[str, int]] = frozenset()


@dataclass
class _Known:
    own: Own = field(default_factory=Own)
    until: float = 0.0
    judged: dict[tuple[str, int, str, bool], Refused | None] = field(default_factory=dict)


_known = _Known()
_lock = threading.Lock()


def look(*, again: bool = False) -> Own:
    """The places of our own, looked up at most every 20 s; blocks (SQL, names).

    Raises SQL's errors: who does not know where its own servers are checks nothing.
    """
    global _known
    if not again and time.monotonic() < _known.until:
        return _known.own
    own = _own()
    judged = {}
    if not again and own == _known.own:
        # Which addresses are this machine's may have changed; the rest holds.
        judged = {k: v for k, v in _known.judged.copy().items() if k[1] not in own.local_ports}
    with _lock:
        _known = _Known(own, time.monotonic() + KNOWN_SECONDS, judged)
    return own


def resolve(host: str, port: int, kind: str = "http", *, public: bool = False) -> list[str]:
    """The addresses behind ``host``, all of them allowed; blocks on the resolver.

    ``public`` allows public addresses beside ``CHECK_NETWORKS`` (a person decided on the target).
    Raises ``Refused``, OSError when there is no such name.
    """
    known = literal(host)
    if known is not None:
        judge(known, port, kind, public=public)
        return [known]
    if (host.lower().rstrip("."), port) in _known.own.names:
        raise Refused(f"{host}:{port} is one of the console's own servers.")
    if not host.isascii() or len(host) > 253 or any(c in host for c in "/@:?#\\%[] \r\n\t\0"):
        raise Refused(f"{host!r:.80} is no host name.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise Refused(f"{host!r:.80} is no host name.") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for one in addresses:
        try:
            judge(one, port, kind, public=public)
        except Refused as error:
            raise Refused(f"{host} is {one}. {error}") from None
    return addresses


def judge(address: str, port: int, kind: str = "http", *, public: bool = False) -> None:
    """Raise ``Refused`` unless a check may connect to this literal address.

    Costs nothing when asked again. ``look`` must have been called before.
    """
    known = _known
    if not known.until:
        raise Refused("It is not known yet where the console's own servers are.")
    asked = (address, port, kind, public)
    if asked not in known.judged:
        if len(known.judged) > 50_000:
            known.judged.clear()
        known.judged[asked] = _judged(address, port, kind, known.own, public=public)
    refused = known.judged[asked]
    if refused is not None:
        raise Refused(str(refused))


def pinned(peer: object, address: str) -> bool:
    """Whether a socket's peer name is the address that was judged."""
    if not isinstance(peer, tuple) or not peer:
        return False
    if peer[0] == address:
        return True
    try:
        return _parse(str(peer[0])) == _parse(address)
    except ValueError:
        return False


def _judged(address: str, port: int, kind: str, own: Own, *, public: bool) -> Refused | None:
    try:
        ip = plain(_parse(address))
    except ValueError:
        return Refused(f"{address!r:.80} is no IP address.")
    if not 0 < port < 65_536:
        return Refused(f"{port} is no port to connect to.")
    if _never(ip):
        return Refused(
            f"{ip} is link-local, a metadata service, multicast or reserved: never checked."
        )
    if (ip, port) in own.places or (port in own.local_ports and _is_local(str(ip))):
        return Refused(f"{ip}:{port} is one of the console's own servers: never checked.")
    if port in REDIS_PORTS and kind != "redis":
        return Refused(f"Port {port} is Redis's: only a Redis check may ask it.")
    if public and ip.is_global:
        return None
    if not any(_allows(network, ip) for network in settings.CHECK_NETWORKS):
        return Refused(
            f"{ip} is in none of the networks that this console may check. Whoever runs it can "
            "add one to CHECK_NETWORKS."
        )
    return None


def plain(ip: Address) -> Address:
    """The IPv4 address that an IPv6 spelling of it reaches: mapped, 6to4, Teredo, NAT64."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)  # the latter: IPv4-compatible, long out of use
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else ip)


def _never(ip: Address) -> bool:
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip in _RESERVED:
        return True
    if isinstance(ip, IPv6Address) and (ip.is_site_local or ip in _NAT64_HERE):
        return True
    return any(ip in network for network in NEVER if network.version == ip.version)


def _allows(network: Network, ip: Address) -> bool:
    if network.version != ip.version or ip not in network:
        return False
    return ip.is_global or _is_special(network)


@functools.lru_cache(maxsize=256)
def _is_special(network: Network) -> bool:
    """Whether somebody who wrote this network meant private addresses."""
    ends = (network.network_address, network.broadcast_address)
    return network.prefixlen >= 7 and not any(one.is_global for one in ends)


def _is_local(address: str) -> bool:
    """Whether it is an address of this machine: nobody else's can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _parse(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


@functools.lru_cache(maxsize=32_768)
def literal(host: str) -> str | None:
    """The IP address that ``host`` spells, in any way that a system reads; None for a name."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return str(_parse(bare))
    except ValueError:
        pass
    try:  # 2130706433, 0x7f.1 and 0177.0.0.1 are addresses to the system
        return socket.inet_ntoa(socket.inet_aton(bare))
    except OSError:
        return None


def _own() -> Own:
    hosts = set(_settings_hosts())
    for row in Server.objects.all():
        try:
            hosts |= set(row.endpoint.hosts)
        except (InvalidArgument, ValueError):
            continue  # an address that cannot be read is not connected to either
    places, names = set(), set()
    for host, port in hosts:
        names.add((host.lower().rstrip("."), port))
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            continue  # it has no address now; its name stays refused
        places |= {(plain(_parse(str(entry[4][0]))), port) for entry in found}
    ports = frozenset(port for ip, port in places if _is_local(str(ip)))
    return Own(frozenset(places), ports, frozenset(names))


def _settings_hosts() -> Iterable[tuple[str, int]]:
    """The console's own Redis, broker and databases, where they are on a network."""
    yield from parse_url(settings.REDIS_URL).hosts
    for url in settings.CELERY_BROKER_URL.split(";"):
        parts = urlsplit(url)
        if parts.hostname and "+socket" not in parts.scheme:
            default = 5672 if parts.scheme.startswith("amqp") else 6379
            yield parts.hostname, parts.port or default
    for one in settings.DATABASES.values():
        engine = str(one.get("ENGINE", "")).rpartition(".")[2]
        if one.get("HOST") and engine in _DATABASE_PORTS and not one["HOST"].startswith("/"):
            for host in one["HOST"].split(","):
                yield host, int(one.get("PORT") or _DATABASE_PORTS[engine])
