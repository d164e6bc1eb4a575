"""A CSV of scores, as people and spreadsheets write it, and as it waits to be written."""

from __future__ import annotations

import csv
import io
import json
import zlib
from dataclasses import dataclass, field

from redisops import edits, keys
from redisops.errors import InvalidArgument

MOST_BYTES = 8 * 1024 * 1024
MOST_ROWS = 100_000
LONGEST = 64 * 1024
SHOWN = 20
MEMBERS, SCORES = ("member", "name", "key"), ("score", "value", "points")
Pair = tuple[bytes, float]


@dataclass(frozen=True)
class Sheet:
    """``pairs`` in the order of the file, each member once (its last line counts). ``wrong`` are
    the first lines that could not be read as (line, why), ``wrong_count`` all of them."""

    pairs: list[Pair] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)
    wrong_count: int = 0
    doubled: int = 0


class Unreadable(Exception):
    """The file as a whole is none that could be imported; a sentence."""


def read(data: bytes) -> Sheet:
    """Lines of member and score; a first line may name the columns, others are passed over.

    Members are read as they are exported: ``\\x00`` is one byte. Raises Unreadable.
    """
    if len(data) > MOST_BYTES:
        raise Unreadable("The file is larger than 8 MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8 text: save it as CSV in UTF-8.") from None
    first = text[: text.find("\n") + 1 or len(text)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first))
    found: dict[bytes, float] = {}
    wrong: list[tuple[int, str]] = []
    wrong_count = doubled = 0
    columns = (0, 1)
    try:
        for cells in reader:
            if not any(cells) or cells[0].startswith("# not whole"):
                continue
            if reader.line_num == 1 and (named := _columns(cells)) is not None:
                columns = named
                continue
            try:
                member, score = _pair(cells, columns)
            except InvalidArgument as error:
                wrong_count += 1
                if len(wrong) < SHOWN:
                    wrong.append((reader.line_num, str(error)))
                continue
            doubled += member in found
            found[member] = score
            if len(found) > MOST_ROWS:
                raise Unreadable(f"The file has more than {MOST_ROWS:,} members.")
    except csv.Error as error:
        raise Unreadable(f"Line {reader.line_num} is no CSV: {error}.") from None
    return Sheet(list(found.items()), wrong, wrong_count, doubled)


def packed(pairs: list[Pair]) -> bytes:
    """To wait in SQL."""
    rows = [[keys.to_url(member), repr(score)] for member, score in pairs]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 6)


def unpacked(body: bytes | memoryview) -> list[Pair]:
    return [(keys.from_url(member), float(score)) for member, score in json.loads(
        zlib.decompress(bytes(body))
    )]  # fmt: skip


def _delimiter(first: str) -> str:
    return max(",;\t", key=first.count) if any(c in first for c in ",;\t") else ","


def _columns(cells: list[str]) -> tuple[int, int] | None:
    """Where members and scores are, if this line names its columns."""
    names = [cell.strip().casefold() for cell in cells]
    member = next((n for n, name in enumerate(names) if name in MEMBERS), None)
    score = next((n for n, name in enumerate(names) if name in SCORES), None)
    return None if member is None or score is None else (member, score)


def _pair(cells: list[str], columns: tuple[int, int]) -> Pair:
    if len(cells) <= max(columns):
        raise InvalidArgument("there is no second column")
    member = keys.from_printable(cells[columns[0]])
    if not member or len(member) > LONGEST:
        raise InvalidArgument("the member is empty" if not member else "the member is over 64 KiB")
    return member, edits.score(cells[columns[1]].strip().replace("−", "-"))
