"""Stored bytes on a page: a short line in a table, or the whole with its decoders to choose from.

Decoding is bounded for each value (``redisops.decoders``) and here for the whole page: a page
full of bombs shows its later rows undecoded instead of taking seconds.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.ui import numbers
from redisops import decoders
from redisops.decoders import Decoded, Limits
from redisops.values.pages import Piece

LINE = 160
PAGE_SECONDS = 0.8
SHORT = Limits(input=16 * 1024, output=32 * 1024, text=2_000, steps=20_000, seconds=0.05)
WHOLE = Limits(input=1024 * 1024, output=1024 * 1024, text=100_000)

# Offered as buttons; the others in a list beside them.
USUAL = ("auto", "json", "msgpack", "pickle", "text", "hex")

_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,4})?", re.IGNORECASE)
_SECONDS_SINCE_1970 = re.compile(r"1\d{9}(?:\.\d+)?|2\d{9}(?:\.\d+)?")
_MILLISECONDS_SINCE_1970 = re.compile(r"[12]\d{12}")


@dataclass(frozen=True)
class Shown:
    """One byte string as shown. ``length`` is the stored size, which may be more than was read."""

    decoded: Decoded
    data: bytes
    length: int

    @property
    def is_text(self) -> bool:
        return self.decoded.chain == ("text",)

    @property
    def is_number(self) -> bool:
        return self.is_text and _NUMBER.fullmatch(self.decoded.text) is not None

    @cached_property
    def line(self) -> str:
        """The beginning on one line."""
        if self.decoded.chain == ("hex",):
            return self.data[:24].hex(" ") + (" …" if self.length > 24 else "")
        text = self.decoded.text[: LINE * 4]
        flat = text.replace("\n", "⏎") if self.is_text else re.sub(r"\n\s*", " ", text)
        return flat if len(flat) <= LINE else f"{flat[: LINE - 1]}…"

    @property
    def is_whole(self) -> bool:
        """Whether the line is all there is to see."""
        if self.decoded.chain == ("hex",):
            return self.length <= 24
        whole = self.decoded.text == self.line or not self.is_text
        return whole and not self.decoded.truncated and len(self.decoded.text) <= LINE

    @property
    def label(self) -> str:
        """How it was written, when it is more than text."""
        return "" if self.is_text else self.decoded.label

    @property
    def arrows(self) -> str:
        return " → ".join(self.decoded.label.split(", then "))

    @property
    def moment(self) -> float | None:
        """Seconds since 1970 if the number is likely to be a point in time."""
        if not self.is_text:
            return None
        text = self.decoded.text
        if _SECONDS_SINCE_1970.fullmatch(text):
            return float(text)
        if _MILLISECONDS_SINCE_1970.fullmatch(text):
            return int(text) / 1000
        return None


class Screen:
    """What one page shows; keeps the time that its decoding has taken."""

    def __init__(self, how: str = "auto") -> None:
        self.how = how
        self.spent = 0.0

    @property
    def is_out_of_time(self) -> bool:
        return self.spent > PAGE_SECONDS

    def short(self, piece: Piece | bytes) -> Shown:
        """For a cell of a table."""
        return self._show(piece, self.how, SHORT)

    def whole(self, piece: Piece | bytes, how: str | None = None) -> Shown:
        return self._show(piece, how or self.how, WHOLE)

    def _show(self, piece: Piece | bytes, how: str, limits: Limits) -> Shown:
        data, length = (
            (piece, len(piece)) if isinstance(piece, bytes) else (piece.data, piece.length)
        )
        start = time.thread_time()
        how = "hex" if self.is_out_of_time else how
        decoded = decoders.decode(data, how, limits, total=length)
        self.spent += time.thread_time() - start
        return Shown(decoded, data, length)


@dataclass(frozen=True)
class Choice:
    """One decoder to choose."""

    name: str
    label: str
    url: str
    is_chosen: bool


def choices(how: str, url_of: Any) -> tuple[list[Choice], list[Choice]]:
    """The usual decoders, and all others; ``url_of(name)`` is where each leads."""
    every = [Choice(name, label, url_of(name), name == how) for name, label in decoders.names()]
    usual = [choice for name in USUAL for choice in every if choice.name == name]
    return usual, [choice for choice in every if choice.name not in USUAL]


_TOKEN = re.compile(
    r'(?P<k>"(?:[^"\\]|\\.)*"(?=(?: \([^)]*\))?: ))|(?P<s>"(?:[^"\\]|\\.)*")'
    r"|(?P<m>(?<![\w\"])-?\d[\w.+-]*|\b(?:true|false|null|NaN|Infinity)\b)|(?P<c>[{}\[\],:])"
)
COLOURED = 60_000


def tokens(text: str) -> list[tuple[str, str]]:
    """(class, piece) of JSON-like text: k names, s strings, m numbers, c punctuation, "" others.

    What follows the first 60,000 characters is one plain piece: colour is not worth the weight.
    """
    pieces = []
    end = 0
    for token in _TOKEN.finditer(text, 0, COLOURED):
        if token.start() > end:
            pieces.append(("", text[end : token.start()]))
        pieces.append((token.lastgroup or "", token[0]))
        end = token.end()
    pieces.append(("", text[end:]))
    return pieces


def clock(seconds: float) -> str:
    """22 Nov 18:20, 41 s ago."""
    import datetime

    now = datetime.datetime.now(datetime.UTC)
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{numbers.clock(at, now)}, {numbers.age(at, now)}"
