"""An entry as one row: its fields as short text, the same for a page and for a live tail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.ui import numbers
from redisops import decoders, keys
from redisops.decoders import Limits

ROOM = 1_200  # characters of one row
LINE = 160  # of one value
NAME = 80
LATEST = 253_402_300_800_000  # milliseconds since 1970; beyond it no calendar has a year
SHORT = Limits(input=4 * 1024, output=8 * 1024, text=600, steps=4_000, seconds=0.01)
_PLAIN = re.compile(rb"[\x20-\x7e]{1,160}")
_FIELDS_OF_ONE = 60


@dataclass(frozen=True)
class Row:
    """One entry as a page shows it."""

    id: str
    fields: list[list[str]]

    @property
    def seconds(self) -> float | None:
        ms = int(self.id.partition("-")[0])
        return ms / 1000 if ms < LATEST else None

    @property
    def clock(self) -> str:
        """01:47:52.982; nothing for an id that is no time."""
        ms = int(self.id.partition("-")[0])
        if ms >= LATEST:
            return "—"
        day = ms // 1000 % 86400
        return f"{day // 3600:02}:{day // 60 % 60:02}:{day % 60:02}.{ms % 1000:03}"


def told(pairs: Iterable[tuple[bytes, bytes]], total: int | None = None) -> list[list[str]]:
    """``[name, value, note]`` of each field, as far as a row goes.

    ``note`` says how a value was written and how much there is, when the text is not all of it.
    ``total`` is how many fields there are when not all of them are in ``pairs``.
    """
    found: list[list[str]] = []
    room, seen = ROOM, 0
    pairs = list(pairs)
    for name, value in pairs:
        if room <= 0 or seen == _FIELDS_OF_ONE:
            break
        text, note = line(value)
        shown = keys.printable(name[:NAME]) + ("…" if len(name) > NAME else "")
        found.append([shown or "(empty)", text, note])
        room -= len(shown) + len(text) + len(note)
        seen += 1
    left = (len(pairs) if total is None else total) - seen
    if left:
        found.append(["…", f"{numbers.exact(left)} more field{'' if left == 1 else 's'}", ""])
    return found


def line(value: bytes, length: int | None = None) -> tuple[str, str]:
    """One value on one line, and a note; ``length`` is its stored size where less was read."""
    size = len(value) if length is None else length
    if size == len(value) and _PLAIN.fullmatch(value):
        return value.decode("ascii"), ""
    if not size:
        return "", "empty"
    decoded = decoders.decode(value[: SHORT.input], "auto", SHORT, total=size)
    if decoded.chain == ("hex",):
        return value[:24].hex(" "), f"unknown bytes, {numbers.size(size)}"
    is_text = decoded.chain == ("text",)
    flat = decoded.text[: LINE * 4]
    flat = flat.replace("\n", "⏎") if is_text else re.sub(r"\n\s*", " ", flat)
    whole = len(flat) <= LINE and not decoded.truncated and len(decoded.text) <= LINE * 4
    words = [] if is_text else [decoded.label]
    if not whole:
        words.append(numbers.size(size))
    return (flat if len(flat) <= LINE else f"{flat[: LINE - 1]}…"), ", ".join(words)


def of_page(entry: Any) -> Row:
    """A row of an entry that ``redisops.values`` read, its fields cut to pieces."""
    fields: list[list[str]] = []
    room = ROOM
    for name, value in entry.fields[:_FIELDS_OF_ONE]:
        if room <= 0:
            break
        text, note = line(value.data, value.length)
        shown = keys.printable(name.data[:NAME]) + ("…" if name.length > NAME else "")
        fields.append([shown or "(empty)", text, note])
        room -= len(shown) + len(text) + len(note)
    left = entry.size - len(fields)
    if left > 0:
        fields.append(["…", f"{numbers.exact(left)} more field{'' if left == 1 else 's'}", ""])
    return Row(entry.id, fields)


def from_pairs(id: str, pairs: Sequence[tuple[bytes, bytes]]) -> Row:
    return Row(id, told(pairs))
