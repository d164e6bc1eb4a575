"""A server's answer read as it comes, only as far as somebody will look at it.

The reader takes bytes and stops when it has enough: the connection is then dropped instead of
read to the end. It knows RESP2 and RESP3.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import redis


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one answer: ``data`` bytes of values, ``elements`` in all, ``depth`` of nesting."""

    data: int = 256 * 1024
    elements: int = 2_000
    depth: int = 16


@dataclass(slots=True)
class Reply:
    """One value of an answer.

    ``kind``: simple, error, integer, double, boolean, bulk, nil, array, set, map or push.
    ``value``: bytes (simple, error, bulk), int, float, bool, None, a list of replies, or for a
    map a list of pairs. ``size``: bytes or elements that the server announced. ``cut``: not all
    of it was read.
    """

    kind: str
    value: Any = None
    size: int = 0
    cut: bool = False

    @property
    def is_error(self) -> bool:
        return self.kind == "error"

    @property
    def count(self) -> int:
        """How many values it holds, itself and those inside of others among them."""
        if not isinstance(self.value, list):
            return 1
        pairs = self.value if self.kind == "map" else [(one,) for one in self.value]
        inside: list[Reply] = [one for pair in pairs for one in pair]
        return 1 + sum(one.count for one in inside)

    @property
    def text(self) -> str:
        """A simple string or an error in words."""
        return self.value.decode("utf-8", "backslashreplace") if self.value is not None else ""


_Reading = Generator[None, None, Reply]
_AGGREGATES = {b"*": "array", b"~": "set", b">": "push", b"%": "map"}


@dataclass
class Reader:
    """Feed it what arrives until ``done``; then ``reply`` is there, and ``cut`` says whether the
    server has more to say than was read. Raises redis.InvalidResponse on anything but RESP."""

    limits: Limits = field(default_factory=Limits)
    done: bool = False
    cut: bool = False
    received: int = 0

    def __post_init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._data = self.limits.data
        self._elements = self.limits.elements
        self._reply: Reply | None = None
        self._reading = self._value(0)
        next(self._reading)

    @property
    def reply(self) -> Reply:
        """The answer; only when ``done``."""
        assert self._reply is not None, "the answer is not complete"
        return self._reply

    @property
    def has_more(self) -> bool:
        """Whether the connection must be dropped: the server has said, or will say, more."""
        return self.cut or len(self._buffer) > self._at

    def feed(self, data: bytes | memoryview) -> None:
        """Bytes that arrived."""
        self.received += len(data)
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data
        try:
            next(self._reading)
        except StopIteration as finished:
            self._reply = finished.value
            self.done = True

    def _line(self) -> Generator[None, None, bytes]:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            if len(self._buffer) - self._at > self.limits.data + 64:
                raise redis.InvalidResponse("a line of the answer has no end")
            yield
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _value(self, depth: int) -> _Reading:
        if depth == 0 and not self._buffer:
            yield
        line = yield from self._line()
        mark, rest = line[:1], line[1:]
        self._elements -= 1
        if mark in (b"+", b"-"):
            self._data -= len(rest)
            return Reply("error" if mark == b"-" else "simple", rest, len(rest))
        if mark in (b":", b"("):
            return Reply("integer", _whole(rest))
        if mark in (b"$", b"=", b"!"):
            return (yield from self._bulk(mark, _whole(rest)))
        if mark == b"_":
            return Reply("nil")
        if mark == b",":
            return Reply("double", _double(rest))
        if mark == b"#":
            return Reply("boolean", rest == b"t")
        if mark in _AGGREGATES:
            return (yield from self._aggregate(_AGGREGATES[mark], _whole(rest), depth))
        raise redis.InvalidResponse(f"the answer begins with {mark!r}")

    def _bulk(self, mark: bytes, size: int) -> _Reading:
        if size < 0:
            return Reply("nil")
        wanted = min(size, max(self._data, 0))
        while len(self._buffer) - self._at < (size + 2 if wanted == size else wanted):
            yield
        value = bytes(self._buffer[self._at : self._at + wanted])
        self._data -= wanted
        kind = "error" if mark == b"!" else "bulk"
        if wanted < size:
            self.cut = True
            return Reply(kind, value, size, cut=True)
        self._at += size + 2
        if mark == b"=":
            value = value[4:]
        return Reply(kind, value, len(value))

    def _aggregate(self, kind: str, size: int, depth: int) -> _Reading:
        if size < 0:
            return Reply("nil")
        if depth >= self.limits.depth:
            raise redis.InvalidResponse(f"the answer is nested more than {depth} deep")
        values: list[Reply] = []
        for _ in range(size * 2 if kind == "map" else size):
            if self._elements <= 0 or self._data <= 0:
                self.cut = True
            if self.cut:
                break
            values.append((yield from self._value(depth + 1)))
        cut = self.cut
        if kind == "map":
            pairs = list(zip(values[::2], values[1::2], strict=False))
            if any(isinstance(name.value, list) for name, _ in pairs):
                raise redis.InvalidResponse("a name in the answer is a list")
            return Reply(kind, pairs, size, cut)
        return Reply(kind, values, size, cut)


def _double(digits: bytes) -> float:
    try:
        return float(digits)
    except ValueError:
        raise redis.InvalidResponse(f"{digits[:20]!r} is no number") from None


def _whole(digits: bytes) -> int:
    try:
        return int(digits)
    except ValueError:
        raise redis.InvalidResponse(f"{digits[:20]!r} is no number") from None
