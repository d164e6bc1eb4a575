"""How an instance is checked: a value that is valid or is not made, JSON both ways, one sentence.

An instance asks for a check when it registers (``Registration.check``), a person writes one in the
console. Neither says where: a check goes to the instance's own address, and ``targets`` judges it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redisops.errors import InvalidArgument

KINDS = {
    "http": "HTTP",
    "https": "HTTPS",
    "tcp": "TCP",
    "tls": "TLS",
    "redis": "Redis",
    "grpc": "gRPC health",
}
ENCRYPTED = frozenset(["https", "tls"])
_TARGET = re.compile(r"/[!-~]{0,511}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}(?::[ -~]{0,200})?")
_GRPC = re.compile(r"[A-Za-z0-9_./-]{0,200}")
_STATUS = re.compile(r"[1-5]\d\d(?:-[1-5]\d\d)?(?:,[1-5]\d\d(?:-[1-5]\d\d)?){0,9}")


@dataclass(frozen=True)
class Check:
    """One way to check an instance. Raises ``InvalidArgument`` that says what would be right.

    ``kind`` one of ``KINDS``; ``port`` 0 for the registered one. Of HTTP: ``path`` with its query,
    ``method`` GET or HEAD, ``host`` for Host and SNI ("" for the address), ``expect`` statuses
    ("200-299,404"), ``body`` a text that it must contain, ``header`` "Name" or "Name: part of its
    value". Of gRPC ``path`` is the service's name, "" for the whole server. ``warn_ms``: slower is
    a warning, 0 for never. ``certificate_days``: fewer left is a warning, 0 for never; ``verify``
    whether it must be valid. Seconds: ``interval`` between two checks, ``timeout`` of one in all,
    ``delay`` after registration; ``jitter`` is a share of the interval.
    """

    kind: str = "http"
    path: str = "/"
    method: str = "GET"
    host: str = ""
    port: int = 0
    expect: str = "200-299"
    body: str = ""
    header: str = ""
    warn_ms: int = 0
    certificate_days: int = 14
    verify: bool = True
    interval: float = 10.0
    timeout: float = 2.0
    jitter: float = 0.1
    delay: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidArgument(f"{self.kind!r:.40} is none of {', '.join(KINDS)}")
        if self.method not in ("GET", "HEAD"):
            raise InvalidArgument(f"{self.method!r:.40} is not GET or HEAD")
        if self.kind == "grpc":
            path = "" if self.path == "/" else self.path
            object.__setattr__(self, "path", path)
            _matches(_GRPC, path, "no name of a gRPC service")
        else:
            _matches(_TARGET, self.path, "no path: / and printable characters, at most 512")
        if self.host:
            _matches(_HOST, self.host, "no host name")
        _matches(_STATUS, self.expect, 'no statuses such as "200-299,404"')
        if self.header:
            _matches(_HEADER, self.header, 'no header such as "X-Ready: yes"')
        if len(self.body) > 200 or "\x00" in self.body:
            raise InvalidArgument("the text of a body is at most 200 characters")
        _between("port", self.port, 0, 65_535)
        _between("warn_ms", self.warn_ms, 0, 60_000)
        _between("certificate_days", self.certificate_days, 0, 3_650)
        _between("interval", self.interval, 1, 3_600)
        _between("timeout", self.timeout, 0.1, 30)
        _between("jitter", self.jitter, 0, 0.5)
        _between("delay", self.delay, 0, 3_600)
        if self.timeout > self.interval:
            raise InvalidArgument(
                f"a timeout of {self.timeout:g} s is longer than the interval of "
                f"{self.interval:g} s: checks would overtake each other"
            )

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Check:
        """A check as JSON holds it; unknown names are refused, or a typing slip would be silent."""
        known: dict[str, Any] = {}
        for name, value in said.items():
            default = _DEFAULTS.get(name)
            if default is None:
                raise InvalidArgument(f"a check knows no {name!r:.60}")
            if isinstance(default, bool) != isinstance(value, bool):
                raise InvalidArgument(f"{name} {value!r:.60} is of the wrong type")
            if isinstance(default, float) and isinstance(value, int):
                value = float(value)  # JSON has one kind of number
            if type(value) is not type(default):
                raise InvalidArgument(f"{name} {value!r:.60} is of the wrong type")
            known[name] = value
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """What differs from the defaults, and the kind."""
        told = dataclasses.asdict(self)
        return {
            name: value
            for name, value in told.items()
            if name == "kind" or value != _DEFAULTS[name]
        }

    def wants(self, status: int) -> bool:
        """Whether an HTTP status is one of the expected."""
        return any(first <= status <= last for first, last in _spans(self.expect))

    @property
    def sentence(self) -> str:
        """What is done, how often and what turns out as what, for people."""
        parts = [self._asks, f"every {_seconds(self.interval)}"]
        if self.delay:
            parts.append(f"from {_seconds(self.delay)} after registration on")
        text = f"{' '.join(parts)}, {_seconds(self.timeout)} at most for all of it."
        wants = self._wants
        if wants:
            text += f" It passes {wants}."
        warns = [f"slower than {self.warn_ms:,} ms"] if self.warn_ms else []
        if self.kind in ENCRYPTED and self.certificate_days:
            warns.append(f"certificate ends within {self.certificate_days} days")
        return f"{text} Warning: {', or '.join(warns)}." if warns else text

    @property
    def _asks(self) -> str:
        port = f" on port {self.port}" if self.port else ""
        if self.kind in ("http", "https"):
            host = f" as {self.host}" if self.host else ""
            return f"{self.method} {self.path} is sent over {KINDS[self.kind]}{port}{host}"
        if self.kind == "grpc":
            whole = f"the health of {self.path}" if self.path else "the health of the whole server"
            return f"gRPC is asked for {whole}{port}"
        words = {"tcp": "A TCP connection is opened", "tls": "A TLS connection is opened"}
        return f"{words.get(self.kind, 'PING is sent to Redis')}{port}"

    @property
    def _wants(self) -> str:
        if self.kind not in ("http", "https"):
            return {
                "tcp": "when the port is open",
                "tls": "when the handshake succeeds",
                "redis": "when PONG comes back",
                "grpc": "when SERVING comes back",
            }[self.kind]
        wants = [f"with status {self.expect.replace('-', ' to ').replace(',', ', ')}"]
        if self.header:
            wants.append(f"the header {self.header}")
        if self.body:
            wants.append(f"“{self.body}” in the body")
        return " and ".join(wants)


_DEFAULTS: dict[str, Any] = {one.name: one.default for one in dataclasses.fields(Check)}


@functools.lru_cache(maxsize=256)
def _spans(expect: str) -> tuple[tuple[int, int], ...]:
    parts = [part.partition("-") for part in expect.split(",")]
    return tuple((int(first), int(last or first)) for first, _, last in parts)


def _matches(pattern: re.Pattern[str], text: str, wrong: str) -> None:
    if not pattern.fullmatch(text):
        raise InvalidArgument(f"{text!r:.80} is {wrong}")


def _between(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # NaN is neither
        raise InvalidArgument(f"{name} {value!r:.40} is not {least:g} to {most:g}")


def _seconds(value: float) -> str:
    return f"{value:g} s"
