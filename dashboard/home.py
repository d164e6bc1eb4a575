"""What settings need to know about home, the Redis that the console itself runs on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from redisops.connection.urls import Endpoint, parse_url
from redisops.errors import InvalidArgument


def secret_key(given: str, data: Path, *, production: bool) -> str:
    """The given SECRET_KEY, or one generated once into ``data`` with mode 0600."""
    if given:
        return given
    if production:
        raise ImproperlyConfigured("SECRET_KEY must be set in production (50 random characters)")
    path = data / "secret_key"
    if not path.exists():
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: of two processes that start at once, one writes and the other reads.
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def derived_key(secret: str, purpose: str) -> str:
    """A 256-bit key for one purpose, base64url; another purpose gives an unrelated key."""
    digest = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()


def embedded_url(data: Path) -> str:
    """The embedded server listens on a Unix socket in the data directory, on no port.

    Socket paths end at about 100 characters; a longer data directory gets its socket in the
    system's temporary directory, named by a digest of the data directory.
    """
    socket = data / "redis.sock"
    if len(str(socket)) > 100:
        name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
        socket = Path("/tmp") / f"redisops-{os.getuid()}-{name}.sock"  # noqa: S108 - see above
    return f"unix://{quote(str(socket))}?db=0"


def broker_url(url: str) -> str:
    """The same server in Celery's spelling."""
    home = _endpoint(url)
    if home.path is not None:
        return f"redis+socket://{_login(home)}{quote(home.path)}?virtual_host={home.db}"
    if home.topology == "sentinel":
        nodes = _nodes(home)
        return ";".join(f"sentinel://{_login(home)}{node}/{home.db}" for node in nodes)
    if home.topology == "cluster":
        raise ImproperlyConfigured(
            "Celery's Redis broker cannot use a cluster: set CELERY_BROKER_URL to a standalone "
            "or Sentinel Redis, or to RabbitMQ, and keep REDIS_URL on the cluster"
        )
    return url


def broker_options(url: str) -> dict[str, Any]:
    """What Celery's spelling has no place for: the service, and who we are to the Sentinels."""
    home = _endpoint(url)
    if home.topology != "sentinel":
        return {}
    return {"master_name": home.service, "sentinel_kwargs": _to_sentinel(home)}


def broker_tls(url: str) -> dict[str, Any] | None:
    """Celery takes any certificate for ``rediss://`` unless it is told to verify it."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("rediss") or "ssl_cert_reqs" in parts.query:
        return None
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


def channel_layer_host(url: str) -> Any:
    """The same server in the channel layer's spelling."""
    home = _endpoint(url)
    if home.topology == "sentinel":
        return {
            "sentinels": list(home.hosts),
            "master_name": home.service,
            "db": home.db,
            "username": home.username,
            "password": home.password,
            "ssl": home.encrypted,
            "sentinel_kwargs": _to_sentinel(home),
        }
    if home.topology == "cluster":
        # What one node is told all nodes tell: pub/sub is the same everywhere in a cluster.
        return f"{'rediss' if home.encrypted else 'redis'}://{_login(home)}{_nodes(home)[0]}"
    return url


def _endpoint(url: str) -> Endpoint:
    try:
        return parse_url(url)
    except InvalidArgument as error:
        raise ImproperlyConfigured(f"REDIS_URL: {error}") from None


def _login(home: Endpoint) -> str:
    if home.username is None and home.password is None:
        return ""
    return f"{quote(home.username or '', safe='')}:{quote(home.password or '', safe='')}@"


def _nodes(home: Endpoint) -> list[str]:
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in home.hosts]


def _to_sentinel(home: Endpoint) -> dict[str, Any]:
    said = {"username": home.sentinel_username, "password": home.sentinel_password}
    return {
        **{name: value for name, value in said.items() if value},
        **({"ssl": True} if home.encrypted else {}),
    }


def postgres_options(seconds: float, given: dict[str, Any]) -> dict[str, Any]:
    """What keeps a page from waiting for ever on PostgreSQL; what DATABASE_URL says comes first.

    The server ends a statement, a wait for a lock and a forgotten transaction; the kernel ends a
    connection whose other side does not acknowledge. ``seconds`` 0 leaves statements unbounded,
    for migrations and for poolers that refuse ``options``.
    """
    limits: dict[str, Any] = {
        "connect_timeout": 2,
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 1,
        "keepalives_count": 3,
        "tcp_user_timeout": 3000,
    }
    if seconds > 0:
        wait = round(seconds * 1000)
        limits["options"] = (
            f"-c statement_timeout={wait} -c lock_timeout={wait}"
            " -c idle_in_transaction_session_timeout=30000"
        )
    return {**limits, **given}


def networks(
    texts: list[str], variable: str = "REDISOPS_ALLOWED_NETWORKS"
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks of a variable; a wrong one stops the start with its text."""
    try:
        return [ipaddress.ip_network(text.strip(), strict=False) for text in texts]
    except ValueError as error:
        raise ImproperlyConfigured(f"{variable}: {error}") from None
