"""What each kind of check says once it is connected. Nothing here opens a connection."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import TYPE_CHECKING, Any

from dashboard.services.checks.exchange import Exchange, Failed

if TYPE_CHECKING:
    from dashboard.services.checks.spec import Check

MOST_HEAD = 8_192
MOST_BODY = 65_536
MOST_PIECES = 1_000
"""Reads of one answer: whoever sends it byte by byte takes our processor, not our time."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_LOADING = ("-LOADING", "-MASTERDOWN", "-CLUSTERDOWN", "-BUSY")

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answer:
    """What comes back of one HTTP request, piece by piece; redirects are an answer like any other.

    ``whole`` reads the body too where nobody asked for it, for who wants to see it.
    """

    __slots__ = ("_check", "_need", "_parts", "_rest", "_whole", "body", "heads", "pieces")

    def __init__(self, check: Check, *, whole: bool = False) -> None:
        self.heads: list[bytes] = []
        self.body = b""
        self.pieces = 0
        self._check, self._whole = check, whole
        self._rest = b""
        self._need: int | None = None  # bytes of the body; not known before its head came
        self._parts: list[bytes] = []

    def take(self, data: bytes) -> bool:
        """The next piece, ``b""`` for the end of the connection; whether it is all. Raises
        ``Failed`` for what is no answer."""
        self.pieces += 1
        if self.pieces > MOST_PIECES:
            raise Failed("fail", f"its answer came in more than {MOST_PIECES:,} pieces")
        if self._need is None:
            rest = self._rest + data
            while self._need is None:
                end = rest.find(b"\r\n\r\n")
                if end > MOST_HEAD or (end < 0 and len(rest) > MOST_HEAD):
                    raise Failed("fail", f"its headers are above {MOST_HEAD // 1024} KB")
                if end < 0:
                    self._rest = rest
                    if data:
                        return False
                    much = f"after {len(rest):,} bytes" if rest else "without an answer"
                    raise Failed("fail", f"the connection was closed {much}")
                self._need = self._begun(rest[: end + 4])
                rest = rest[end + 4 :]
            if rest:
                self._parts.append(rest[: self._need])
                self._need -= len(self._parts[0])
        elif data:
            self._parts.append(data[: self._need])
            self._need -= len(self._parts[-1])
        if self._need and data:
            return False
        self.body = b"".join(self._parts)
        return True

    @property
    def partial(self) -> bytes:
        """What came of a head that did not end."""
        return self._rest

    def _begun(self, head: bytes) -> int | None:
        """How much body is to be read behind this head, None when another head follows."""
        found = _STATUS.match(head)
        if found is None:
            raise Failed("fail", "what came back is not HTTP")
        self.heads.append(head)
        status, check = int(found[1]), self._check
        if status < 200:
            if len(self.heads) >= 5:
                raise Failed("fail", "more than five answers of status 1xx")
            return None
        length = _LENGTH.search(head)
        reads = check.body or self._whole or length
        if check.method != "GET" or not reads or status in (204, 304):
            return 0
        return MOST_BODY if length is None else min(int(length[1]), MOST_BODY)

    def judged(self) -> dict[str, Any]:
        """Facts of an answer that is as it should be. Raises ``Failed``."""
        head, check = self.heads[-1], self._check
        status = int(head[9:12])
        if not check.wants(status):
            if status == 429:
                raise Failed("warn", "HTTP 429: it has too much to do")
            raise Failed("fail", f"HTTP {status}, expected {check.expect}")
        if check.header:
            _has_header(check.header, head)
        if check.body and check.body.encode() not in _unchunked(head, self.body):
            cut = f" in its first {MOST_BODY // 1024} KB" if len(self.body) >= MOST_BODY else ""
            words = f"HTTP {status}, but the body does not contain “{check.body}”{cut}"
            raise Failed("fail", words)
        return {"status": status}


@functools.lru_cache(maxsize=32_768)
def request(method: str, path: str, host: str) -> bytes:
    """The one request of an HTTP check."""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
        "User-Agent: redisops-check\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")


async def http(check: Check, ends: Ends, host: str, log: Exchange | None) -> dict[str, Any]:
    """One request. Raises ``Failed``."""
    reader, writer = ends
    asked = request(check.method, check.path, host)
    writer.write(asked)
    if log:
        log.note("Sent", asked)
    answer = Answer(check, whole=log is not None)
    raw = b""
    try:
        while True:
            raw = await reader.read(MOST_BODY)
            if answer.take(raw):
                break
    finally:
        if log:
            came = answer.heads or [answer.partial or raw]
            for head in came if any(came) else []:
                log.note("Came back", head)
            if answer.body:
                log.note(f"Body, {len(answer.body):,} bytes", answer.body)
    return answer.judged()


async def redis(ends: Ends, log: Exchange | None) -> dict[str, Any]:
    """PING. A server that asks for a password is alive, and says so. Raises ``Failed``."""
    reader, writer = ends
    writer.write(b"*1\r\n$4\r\nPING\r\n")
    if log:
        log.note("Sent", b"PING\r\n")
    try:
        line = await reader.readuntil(b"\r\n")
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError) as error:
        raise Failed("fail", "what came back is not Redis") from error
    if log:
        log.note("Came back", line)
    said = line[:200].decode("utf-8", "replace").strip()
    if said == "+PONG":
        return {}
    if said.startswith(("-NOAUTH", "-NOPERM", "-DENIED")):
        return {"note": "it asks for a password"}
    words = said.startswith(_LOADING) or said.startswith("-")
    raise Failed("fail", f"Redis says {said[1:]}" if words else "what came back is not Redis")


async def grpc(check: Check, ends: Ends, host: str, log: Exchange | None) -> dict[str, Any]:
    """``grpc.health.v1.Health/Check`` over plain HTTP/2. Raises ``Failed``."""
    from dashboard.services.checks.grpc import ask

    return await ask(check.path, ends, host, log)


def _has_header(wanted: str, head: bytes) -> None:
    name, _, part = wanted.partition(":")
    found = []
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name.strip().lower().encode():
            found.append(value.decode("latin-1").strip())
    if not found:
        raise Failed("fail", f"the header {name.strip()} is missing")
    if part.strip() and not any(part.strip() in value for value in found):
        raise Failed("fail", f"the header {name.strip()} is {found[0][:60]!r}")


def _unchunked(head: bytes, body: bytes) -> bytes:
    """The body without the sizes between its chunks; what is malformed stays as it is."""
    if not _CHUNKED.search(head):
        return body
    parts, rest = [], body
    while rest:
        size, ended, rest = rest.partition(b"\r\n")
        try:
            count = int(size.partition(b";")[0], 16) if ended else 0
        except ValueError:
            return body
        if count <= 0:
            break
        parts.append(rest[:count])
        rest = rest[count + 2 :]
    return b"".join(parts)
