"""What must be true before anything is started. Each check says in one sentence what to do."""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import environ

ROOT = Path(__file__).resolve().parent.parent.parent


class Refusal(Exception):
    """Nothing was started; the text is the one sentence that says what to do."""


@dataclass(frozen=True)
class Address:
    """Where the console listens, and where a browser on this machine finds it."""

    host: str
    port: int

    @property
    def reachable(self) -> str:
        """The host a local client connects to: a wildcard address is no destination."""
        return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    def url(self, script_name: str = "") -> str:
        host = f"[{self.reachable}]" if ":" in self.reachable else self.reachable
        return f"http://{host}:{self.port}{script_name.rstrip('/')}/"


def data_directory() -> Path:
    """REDISOPS_DATA, created with mode 0700 when missing, and proven to be writable.

    Runs before the settings are imported, because they already keep a secret key in it.
    """
    environ.Env.read_env(ROOT / ".env")
    path = Path(os.environ.get("REDISOPS_DATA") or ROOT / "var").absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refusal(
            f"The data directory {path} cannot be written ({reason}): make it writable for "
            f"this user, or choose another with REDISOPS_DATA=/some/directory."
        ) from error
    return path


def alone(data: Path) -> IO[str]:
    """The lock that one running console holds on its data directory, until it ends.

    The kernel releases it however the process dies, so no stale lock is ever left behind.
    """
    lock = (data / "run.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        who = lock.read().strip() or "another process"
        lock.close()
        raise Refusal(
            f"Redisops already runs on the data directory {data} ({who}): use that one, stop "
            "it, or start a second one with its own REDISOPS_DATA and PORT."
        ) from None
    return lock


def sign(lock: IO[str], words: str) -> None:
    """Write who holds the lock, for the one who finds it held."""
    lock.seek(0)
    lock.truncate()
    lock.write(words)
    lock.flush()


def port_free(address: Address) -> None:
    """Bind as the web server will; whatever is refused here would be refused there."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except PermissionError:
            raise Refusal(
                f"Port {address.port} needs more rights than this user has: choose one above "
                "1023, for example PORT=8000."
            ) from None
        except OverflowError:
            raise Refusal(f"PORT is {address.port}: choose a number from 1 to 65535.") from None
        except socket.gaierror:
            raise Refusal(
                f"HOST is {address.host!r}, which is no address of this machine: use "
                "HOST=127.0.0.1, or HOST=0.0.0.0 for every address."
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Refusal(
                f"Port {address.port} of {address.host} cannot be used ({reason}): stop what "
                f"listens there, or choose another, for example PORT={address.port + 1}."
            ) from None


def redis_answers(url: str) -> None:
    """PING the given REDIS_URL once, and tell a failure by its cause."""
    from redis import RedisError

    from redisops.connection import connect, redacted
    from redisops.errors import RedisopsError
    from redisops.resilience import diagnose

    try:
        client = connect(url, name="redisops-check", max_connections=1)
        try:
            client.ping()
        finally:
            client.close()
    except (RedisError, RedisopsError, OSError, ValueError) as error:
        trouble = diagnose(error)
        detail = f" [{trouble.detail}]" if trouble.detail else ""
        raise Refusal(
            f"REDIS_URL={redacted(url)} cannot be used: {trouble.sentence} "
            f"{trouble.next_step}{detail}"
        ) from error


def static_files_built(root: Path) -> None:
    """The manifest is there and younger than every source; else pages would fail one by one."""
    manifest = root / "staticfiles.json"
    sources = (path.stat().st_mtime for path in (ROOT / "static").rglob("*") if path.is_file())
    if not manifest.is_file():
        state = "are not built"
    elif max(sources, default=0.0) > manifest.stat().st_mtime:
        state = "are older than their sources"
    else:
        return
    raise Refusal(
        f"The static files in {root} {state}: run `python manage.py collectstatic --noinput` "
        "(after `npm ci`), or start with `make run`, which does both."
    )
