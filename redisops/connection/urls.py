"""One URL for every way of running Redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redisops.errors import InvalidArgument

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
_SCHEMES = {
    "redis": ("standalone", False),
    "rediss": ("standalone", True),
    "unix": ("standalone", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}


@dataclass(frozen=True)
class Endpoint:
    """Where a server is and who we are there: what a URL says, taken apart.

    ``hosts`` are the server's address, the Sentinels', or the cluster's known nodes.
    """

    topology: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    db: int = 0
    service: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    encrypted: bool = False

    @property
    def address(self) -> str:
        """For people: ``db.example:6379``, a socket's path, or all hosts with commas."""
        if self.path is not None:
            return self.path
        hosts = ",".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in self.hosts)
        return f"{hosts}/{self.service}" if self.service else hosts


def parse_url(url: str) -> Endpoint:
    """Take a URL apart; InvalidArgument says what would be right, and never repeats a password.

    ``redis://[user[:password]@]host[:port][/db]``, ``rediss://`` with TLS,
    ``unix://[user[:password]@]/path/to/socket[?db=0]``,
    ``redis+sentinel://host:port,host:port/service[/db]`` (credentials are the server's; the
    Sentinels' own go into ``?sentinel_username=&sentinel_password=``) and
    ``redis+cluster://host:port,host:port``; ``rediss+sentinel://`` and ``rediss+cluster://``
    with TLS. User, password and path are percent-encoded.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidArgument(f"{redacted(url)!r} is not a URL: {error}") from None
    if parts.scheme not in _SCHEMES:
        raise InvalidArgument(
            f"{redacted(url)!r} starts with none of {', '.join(f'{s}://' for s in _SCHEMES)}"
        )
    topology, encrypted = _SCHEMES[parts.scheme]
    username, password, places = _authority(parts)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    segments = [unquote(part) for part in parts.path.split("/") if part]
    common: dict[str, Any] = {
        "username": username,
        "password": password,
        "encrypted": encrypted,
    }

    if parts.scheme == "unix":
        if not parts.path or places:
            raise InvalidArgument(
                f"{redacted(url)!r} needs an absolute path: unix:///run/redis.sock"
            )
        db = _database(query.get("db", "0"), url)
        return Endpoint(topology, path=unquote(parts.path), db=db, **common)

    default = DEFAULT_SENTINEL_PORT if topology == "sentinel" else DEFAULT_PORT
    hosts = tuple(_host(place, default, url) for place in (places.split(",") if places else []))
    if topology == "sentinel":
        if not hosts or not segments:
            raise InvalidArgument(
                f"{redacted(url)!r} needs Sentinels and a service: redis+sentinel://s1:26379/shop/0"
            )
        db = _database(segments[1] if len(segments) > 1 else query.get("db", "0"), url)
        return Endpoint(
            topology,
            hosts,
            db=db,
            service=segments[0],
            sentinel_username=query.get("sentinel_username"),
            sentinel_password=query.get("sentinel_password"),
            **common,
        )

    db = _database(segments[0] if segments else query.get("db", "0"), url)
    if topology == "cluster":
        if not hosts:
            raise InvalidArgument(
                f"{redacted(url)!r} needs a node: redis+cluster://n1:6379,n2:6379"
            )
        if db != 0:
            raise InvalidArgument(f"{redacted(url)!r} asks for database {db}: a cluster has only 0")
        return Endpoint(topology, hosts, **common)
    if len(hosts) > 1:
        raise InvalidArgument(
            f"{redacted(url)!r} names {len(hosts)} hosts: use redis+cluster:// or redis+sentinel://"
        )
    return Endpoint(topology, hosts or (("localhost", default),), db=db, **common)


def redacted(url: str) -> str:
    """The URL for people and logs: passwords and secret options become ``…``."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        # Not a URL, so nobody can tell where a secret would begin.
        return url if "@" not in url else "…@" + url.rpartition("@")[2]
    credentials, at, place = rest.rpartition("@")  # the last one: a password may hold any sign
    place, question, query = place.partition("?")
    if at:
        user, colon, _ = credentials.partition(":")
        credentials = f"{user}:…" if colon else user
    if question:
        query = "&".join(
            f"{name}=…"
            if "password" in name.lower() or "secret" in name.lower()
            else f"{name}{eq}{value}"
            for name, eq, value in (part.partition("=") for part in query.split("&"))
        )
    return f"{scheme}://{credentials}{at}{place}{question}{query}"


def _authority(parts: SplitResult) -> tuple[str | None, str | None, str]:
    credentials, at, places = parts.netloc.rpartition("@")
    if not at:
        return None, None, places
    user, colon, password = credentials.partition(":")
    return unquote(user) or None, unquote(password) if colon and password else None, places


def _host(place: str, default: int, url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise InvalidArgument(f"{place!r} in {redacted(url)!r} is no host or host:port")
    return unquote(host), port if port is not None else default


def _database(text: str, url: str) -> int:
    if not text.isdecimal():
        raise InvalidArgument(f"database {text!r} in {redacted(url)!r} is not a number from 0 up")
    return int(text)
