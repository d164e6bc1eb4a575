"""Stored bytes as text for people, whatever wrote them.

``decode`` finds out how bytes were written, through several layers (base64, then zstd, then
MessagePack), or is told. It never raises on any bytes, never runs what they say, and stays
within :class:`Limits`: a bomb, a cycle or a thousand levels end in a note, not in a slow page.
``encode`` is the way back for edited text, as exact as ``encoding`` says, or a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from redisops.decoders.budget import Budget, Limits, NotThis, Spent
from redisops.decoders.detect import (
    STRUCTURED,
    candidates,
    is_text,
    msgpack_is_plausible,
)
from redisops.decoders.encoding import encode
from redisops.decoders.formats import FORMATS, Language, Shown, hex_
from redisops.decoders.layers import LAYERS
from redisops.errors import InvalidArgument

__all__ = ["Decoded", "Limits", "decode", "encode", "names"]

_LABELS = {
    "text": "Text",
    "json": "JSON",
    "msgpack": "MessagePack",
    "protobuf": "Protocol Buffers",
    "php": "PHP",
    "java": "Java",
    "pickle": "Pickle",
    "base64": "Base64",
    "gzip": "gzip",
    "zlib": "zlib",
    "zstd": "zstd",
    "lz4": "LZ4",
    "brotli": "Brotli",
    "snappy": "Snappy",
    "utf16": "UTF-16",
    "hex": "Hex",
}
_INNER = {**_LABELS, "text": "text", "redisops": "Redisops codec", "hex": "unknown bytes"}

# Formats without a magic number: any bytes may happen to fit.
_GUESSED = frozenset({"base64", "brotli", "msgpack", "protobuf", "snappy"})


@dataclass(frozen=True, slots=True)
class Decoded:
    """Bytes as shown.

    chain: how they were written, outermost first, by decoder names: ``("zlib", "json")``.
    text: what to show; no character in it can hide, reorder its neighbours or break a page.
    language: how to colour it. note: sentences about it, "" when there is nothing to say.
    truncated: not all of the value is in the text.
    """

    chain: tuple[str, ...]
    text: str
    language: Language
    note: str = ""
    truncated: bool = False

    @property
    def label(self) -> str:
        """The chain in words: "zlib, then JSON"."""
        return ", then ".join(_INNER[name] for name in self.chain)


def names() -> list[tuple[str, str]]:
    """Every ``how`` that a person can choose, with its label, "auto" first."""
    return [("auto", "Auto"), *_LABELS.items()]


def decode(
    data: bytes, how: str = "auto", limits: Limits | None = None, *, total: int | None = None
) -> Decoded:
    """``data`` as text. Linear in the bytes looked at; nothing is asked of Redis.

    ``how`` is "auto", one name of :func:`names`, or several with commas, outermost first
    (``"base64,zstd,msgpack"``); after a layer the rest is found automatically. Bytes that are not
    what ``how`` says are shown in hex with the reason in the note. ``total`` is the size of the
    stored value when ``data`` is only its beginning.

    Raises InvalidArgument for an unknown name, and nothing else.
    """
    limits = limits or Limits()
    steps = [] if how == "auto" else how.split(",")
    for name in steps:
        if name not in LAYERS and name not in FORMATS:
            raise InvalidArgument(f'"{name}" is no decoder; there are {", ".join(_LABELS)}')
    total = len(data) if total is None else total
    cut = total > min(len(data), limits.input)
    data = bytes(data)[: limits.input]
    if cut:
        data = _without_half_a_character(data)
    reading = _Reading(Budget(limits), cut=cut)
    try:
        chain, shown = reading.told(data, steps) if steps else reading.found(data, limits.chain)
        decoded = Decoded(tuple(chain), shown.text, shown.language, shown.note, shown.cut)
    except NotThis as reason:
        decoded = _as_hex(data, limits, f"This is {reason}.")
    except Spent as reason:
        decoded = _as_hex(data, limits, f"{reason} Shown in hex instead.")
    notes = [*reading.notes, decoded.note]
    if cut:
        notes.append(f"Only the first {len(data):,} of {total:,} bytes were read.")
    note = " ".join(dict.fromkeys(filter(None, notes)))
    return replace(decoded, note=note, truncated=decoded.truncated or reading.cut)


def _without_half_a_character(data: bytes) -> bytes:
    """A cut between the bytes of one UTF-8 character must not make text look binary."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start >= len(data) - 3:
            return data[: error.start]
    return data


def _as_hex(data: bytes, limits: Limits, note: str) -> Decoded:
    shown = hex_(data, Budget(limits))
    return Decoded(("hex",), shown.text, shown.language, note, shown.cut)


class _Reading:
    """One decode on its way: the budget, whether anything was cut, and what to say about it."""

    def __init__(self, budget: Budget, *, cut: bool) -> None:
        self.budget = budget
        self.cut = cut
        self.notes: list[str] = []

    def told(self, data: bytes, steps: list[str]) -> tuple[list[str], Shown]:
        """As the person said; what follows the last layer is found."""
        name, *rest = steps
        if name in FORMATS:
            if rest:
                raise NotThis(f"not possible: {_INNER[name]} holds no further layer")
            return [name], FORMATS[name](data, self.budget)
        inside = self.open(name, data)
        if name == "redisops":  # its first byte has said the format
            rest = ["msgpack" if data[0] & 3 else "json"]
        chain, shown = (
            self.told(inside, rest) if rest else self.found(inside, self.budget.limits.chain - 1)
        )
        return [name, *chain], shown

    def found(self, data: bytes, layers: int) -> tuple[list[str], Shown]:
        """The first candidate that fits."""
        if not data:
            return ["text"], Shown("", "text", "It is empty.")
        for name in candidates(data):
            try:
                return self.attempt(name, data, layers)
            except NotThis as reason:
                if "not installed" in str(reason) and name not in _GUESSED:
                    self.notes.append(f"It looks like {_INNER[name]}; {reason}.")
                elif name == "json" and "nested" in str(reason):
                    self.notes.append("It is JSON nested too deeply to be laid out.")
        return ["hex"], hex_(data, self.budget)

    def attempt(self, name: str, data: bytes, layers: int) -> tuple[list[str], Shown]:
        if name in FORMATS:
            shown = FORMATS[name](data, self.budget)
            if name == "msgpack" and not msgpack_is_plausible(shown.value):
                raise NotThis("not convincingly MessagePack")
            if name == "pickle" and not shown.value:
                raise NotThis("not a whole pickle")
            return [name], shown
        if layers <= 0:
            self.notes.append("It is packed in more layers than are opened.")
            raise NotThis("too many layers")
        cut, notes = self.cut, list(self.notes)
        try:
            if name == "redisops":
                return self.told(data, [name])
            inside = self.open(name, data, certain=name not in _GUESSED)
            chain, shown = self.found(inside, layers - 1)
            if not _is_convincing(name, data, inside, chain):
                raise NotThis(f"not convincingly {_INNER[name]}")
        except NotThis:
            self.cut, self.notes = cut, notes
            raise
        return [name, *chain], shown

    def open(self, name: str, data: bytes, *, certain: bool = True) -> bytes:
        """The bytes inside a layer. Without a magic number only a whole layer will do."""
        layer = LAYERS[name](data, self.budget)
        if layer.problem:
            # zlib's magic number is two bytes with a checksum of five bits: chance makes it.
            if not certain or (name == "zlib" and len(layer.data) < 64):
                raise NotThis(f"not a whole {_INNER[name]} stream")
            self.notes.append(layer.problem)
            self.cut = True
        return layer.data


def _is_convincing(name: str, data: bytes, inside: bytes, chain: list[str]) -> bool:
    """Whether a layer without a magic number is more than chance."""
    if name == "base64":
        return chain[0] in STRUCTURED or (
            chain[0] == "msgpack" and (inside[0] & 0xF0 == 0x80 or inside[0] in (0xDE, 0xDF))
        )
    if name == "brotli" or (name == "snappy" and data[:1] != b"\xff"):
        return len(inside) >= 8 and (is_text(inside) or chain[0] in STRUCTURED)
    return True
