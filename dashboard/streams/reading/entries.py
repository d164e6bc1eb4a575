"""One entry, whole: each field decoded, by itself or as somebody asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.servers.models import Server
from dashboard.streams.reading.rows import Row
from redisops import decoders, keys
from redisops.decoders import Decoded, Limits
from redisops.values import Values
from redisops.values.pages import StreamPage

PIECE = 64 * 1024
SHOWN = 200  # fields
WHOLE = Limits(input=PIECE, output=128 * 1024, text=20_000, steps=40_000, seconds=0.05)
HEX = Limits(input=1024, output=8 * 1024, text=4_000, steps=4_000, seconds=0.02)
PAGE_TEXT = 200_000


@dataclass(frozen=True)
class Field:
    """One field: its name, its value as shown, and the stored size."""

    name: str
    decoded: Decoded
    length: int
    is_cut: bool

    @property
    def label(self) -> str:
        return "" if self.decoded.chain == ("text",) else self.decoded.label


class Detail:
    """One entry of one stream. ``read`` fills ``entry``; None: there is no such entry (now)."""

    def __init__(self, server: Server, key: bytes, entry_id: str, how: str) -> None:
        self.server = server
        self.key = key
        self.id = entry_id
        self.how = how if how in dict(decoders.names()) else "auto"
        self.entry: Any = None
        self.page: Any = None
        self.before: str = ""
        self.after: str = ""
        self.fields: list[Field] = []

    def read(self) -> None:
        """The entry with its fields cut at 64 KiB each. Two round trips."""
        values = Values(self.server.client())
        self.page = values.read(
            self.key, count=1, limit=PIECE, order="asc", start=self.id, end=self.id
        )
        if not isinstance(self.page, StreamPage) or not self.page.rows:
            return
        self.entry = self.page.rows[0]
        room = PAGE_TEXT
        for name, value in self.entry.fields[:SHOWN]:
            how, limits = (self.how, WHOLE) if room > 0 else ("hex", HEX)
            decoded = decoders.decode(value.data, how, limits, total=value.length)
            room -= len(decoded.text)
            shown = keys.printable(name.data[:400]) or "(empty)"
            cut = value.length > len(value.data) or decoded.truncated
            self.fields.append(Field(shown, decoded, value.length, cut))

    @property
    def row(self) -> Row:
        return Row(self.id, [])

    @property
    def more(self) -> int:
        return int(self.entry.size) - len(self.fields)

    @property
    def is_whole(self) -> bool:
        """Whether every byte of it is at hand and few enough to be copied."""
        parts = [part for pair in self.entry.fields for part in pair]
        is_all = self.entry.size == len(self.entry.fields)
        return is_all and not any(part.is_cut for part in parts) and _size(parts) <= PIECE

    @property
    def as_json(self) -> str:
        """Copied as JSON: pairs, because a name may come twice."""
        pairs = [[keys.printable(n.data), keys.printable(v.data)] for n, v in self.entry.fields]
        return json.dumps({"id": self.id, "fields": pairs}, ensure_ascii=False, indent=2)

    @property
    def as_xadd(self) -> str:
        """Copied as the command that adds the same fields again."""
        words = [_quoted(self.key), "*"]
        for name, value in self.entry.fields:
            words += [_quoted(name.data), _quoted(value.data)]
        return f"XADD {' '.join(words)}"

    def url(self, how: str) -> str:
        place = reverse("streams:entry", args=[self.server.slug, self.key, self.id])
        return place if how == "auto" else f"{place}?{urlencode({'decode': how})}"

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        return [(name, label, name == self.how) for name, label in decoders.names()]


def _size(parts: list[Any]) -> int:
    return sum(len(part.data) for part in parts)


def _quoted(word: bytes) -> str:
    """As redis-cli reads it back: double quotes, \\xNN for what is no plain character."""
    text = "".join(
        f"\\{chr(b)}" if b in b'"\\' else chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in word
    )
    return f'"{text}"'
