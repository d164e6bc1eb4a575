"""Whether bytes hold what is looked for, and where: pure, bounded, nothing is asked of Redis.

Bytes are looked at as they are stored, as they are inside their layers (base64, zlib, zstd …), and
as the value's page shows them where that differs (MessagePack, pickle, JSON with escapes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from redisops import decoders
from redisops.decoders import Limits
from redisops.decoders.budget import Budget, NotThis, Spent
from redisops.decoders.formats import FORMATS, Shown
from redisops.decoders.layers import LAYERS
from redisops.decoders.show import safe
from redisops.searching import paths
from redisops.searching.grammar import Query

AROUND = 60  # bytes shown before and after
SHOWN = 160  # bytes of a match that are shown
TEXT = 1024 * 1024
NOTHING = object()
_PARSED = frozenset({"json", "msgpack", "protobuf", "php", "java"})
_AS_BYTES = frozenset({"text", "hex", "json"})
_DETECT = Limits(text=64, seconds=0.2)
_READ = Limits(text=TEXT, seconds=0.2)


@dataclass(frozen=True, slots=True)
class Hit:
    """Where it was found.

    ``inside`` says how the bytes were unpacked ("zlib, then JSON"; "" as stored), ``path`` where a
    path led. ``before``, ``hit`` and ``after`` are text without characters that hide or reorder.
    """

    before: str
    hit: str
    after: str
    inside: str = ""
    path: str = ""


class Opened:
    """Bytes and what is inside them, opened when asked. ``partial``: not all could be unpacked."""

    def __init__(self, stored: bytes, how: str = "auto", total: int | None = None) -> None:
        self.stored = stored
        self.how = how
        self.total = len(stored) if total is None else total

    @cached_property
    def told(self) -> decoders.Decoded:
        return decoders.decode(self.stored, self.how, _DETECT, total=self.total)

    @cached_property
    def _inner(self) -> tuple[bytes, bool]:
        data, whole = self.stored, True
        budget = Budget(_READ)
        try:
            for name in self.told.chain:
                if name in LAYERS:
                    layer = LAYERS[name](data, budget)
                    data, whole = layer.data, whole and not layer.problem
        except (NotThis, Spent):
            return self.stored, False
        return data, whole

    @property
    def inner(self) -> bytes:
        return self._inner[0]

    @property
    def partial(self) -> bool:
        """Whether a layer broke off or was too large: looked at only as far as it went."""
        return "_inner" in self.__dict__ and not self._inner[1]

    @property
    def unpacked(self) -> int:
        """Bytes that were made of it."""
        return len(self.inner) if "_inner" in self.__dict__ else 0

    @property
    def label(self) -> str:
        return self.told.label if self.told.chain[-1] != "hex" else ""

    @cached_property
    def shown(self) -> Shown | None:
        """As its page shows it; None when it cannot be read as what it seems to be."""
        try:
            return FORMATS[self.told.chain[-1]](self.inner, Budget(_READ))
        except (NotThis, Spent, KeyError):
            return None

    @property
    def value(self) -> Any:
        """The parsed value; ``NOTHING`` where there is none. A bare ``5`` is JSON here, too."""
        last = self.told.chain[-1]
        if last == "text":
            try:
                return FORMATS["json"](self.inner, Budget(_DETECT)).value
            except (NotThis, Spent):
                return NOTHING
        return self.shown.value if last in _PARSED and self.shown is not None else NOTHING

    def faces(self) -> Iterator[tuple[bytes, str]]:
        """(bytes, how they came about) to look into, the cheapest first."""
        yield self.stored, ""
        if self.how == "hex":
            return
        last = self.told.chain[-1]
        if len(self.told.chain) > 1:
            yield self.inner, self.label
        if (last not in _AS_BYTES or (last == "json" and b"\\" in self.inner)) and self.shown:
            yield self.shown.text.encode("utf-8", "replace"), self.label


def find(query: Query, opened: Opened) -> Hit | None:
    """The first place in one value that the query means; None when there is none."""
    if query.kind == "path":
        return _by_path(query, opened)
    if query.kind == "matches":
        for data, inside in opened.faces():
            found = query.regex.search(data)
            if found is not None:
                return excerpt(data, found.start(), found.end(), inside)
        return None
    if query.kind == "contains":
        for data, inside in opened.faces():
            at = data.find(query.needle)
            if at >= 0:
                return excerpt(data, at, at + len(query.needle), inside)
        return None
    return _whole(query, opened)


def _whole(query: Query, opened: Opened) -> Hit | None:
    if opened.total > len(opened.stored):
        return None  # longer than what was read: not known, and the caller says so
    if opened.stored == query.needle:
        return excerpt(opened.stored, 0, len(opened.stored))
    if opened.how == "hex":
        return None
    if len(opened.told.chain) > 1 and opened.inner == query.needle and not opened.partial:
        return excerpt(opened.inner, 0, len(opened.inner), opened.label)
    value = opened.value
    text = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if isinstance(text, bytes | bytearray) and bytes(text) == query.needle:
        return excerpt(bytes(text), 0, len(text), opened.label)
    return None


def _by_path(query: Query, opened: Opened) -> Hit | None:
    assert query.path is not None and query.literal is not None
    root = opened.value
    for place, value in () if root is NOTHING else paths.walk(root, query.path):
        if query.literal.equals(value):
            data = _written(value)
            hit = excerpt(data, 0, len(data), opened.label)
            return Hit("", hit.hit, hit.after, hit.inside, safe(place)[0])
    return None


def _written(value: Any) -> bytes:
    """A scalar as people write it."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value).encode()
    return str(value).encode("utf-8", "replace")


def excerpt(data: bytes, start: int, end: int, inside: str = "") -> Hit:
    """The bytes from ``start`` to ``end`` with a little around them, as safe text."""
    first = max(0, start - AROUND)
    while first < start and first and data[first] & 0xC0 == 0x80:
        first += 1
    shown = min(end, start + SHOWN)
    last = min(len(data), shown + AROUND)
    while last > shown and last < len(data) and data[last] & 0xC0 == 0x80:
        last -= 1
    before = ("…" if first else "") + _text(data[first:start])
    after = _text(data[shown:last]) + ("…" if last < len(data) else "")
    if shown < end:
        return Hit(before, _text(data[start:shown]) + "…", after if after != "…" else "", inside)
    return Hit(before, _text(data[start:shown]), after, inside)


def _text(data: bytes) -> str:
    return safe(data.decode("utf-8", "backslashreplace"))[0]
