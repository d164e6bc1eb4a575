"""An answer by its shape: a number, a text with its decoding, a table, nothing, an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from redisops import commands, keys
from redisops.commands import Reply, shapes
from redisops.decoders import Decoded, Limits, decode

CELL = 400
WHOLE = Limits(input=128 * 1024, output=256 * 1024, text=60_000, seconds=0.2)
COLUMNS = 8


@dataclass(frozen=True)
class Cell:
    """One value in a table: its text, what kind it is, whether it was shortened."""

    text: str
    kind: str
    is_cut: bool = False


class Shown:
    """What a template asks of an answer. Computed once, as far as it is asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    @property
    def kind(self) -> str:
        """integer, simple, text, nil, error, table, map, empty or other."""
        reply = self.reply
        if reply.kind in ("array", "set", "push", "map"):
            if not reply.value:
                return "empty"
            return "map" if reply.kind == "map" else "table"
        if reply.kind in ("double", "boolean"):
            return "integer"
        return {"bulk": "text"}.get(reply.kind, reply.kind)

    @property
    def tag(self) -> str:
        """The shape in one word."""
        words = {"integer": "integer", "text": "string", "simple": "status", "table": "list"}
        return words.get(self.kind, self.kind)

    @cached_property
    def plain(self) -> str:
        """As redis-cli writes it."""
        return commands.text(self.reply)

    @cached_property
    def packed(self) -> str:
        """What an export is made of."""
        return commands.pack(self.reply)

    @property
    def number(self) -> str:
        return str(self.reply.value)

    @cached_property
    def decoded(self) -> Decoded:
        """A string, decoded as far as anybody can tell how it was written."""
        return decode(self.reply.value, "auto", WHOLE, total=self.reply.size)

    @property
    def elements(self) -> int:
        return len(self.reply.value)

    @cached_property
    def columns(self) -> int:
        """How many values each row has, when all rows have as many; else one."""
        rows = shapes.rows(self.reply)
        widths = {len(row) for row in rows}
        width = widths.pop() if len(widths) == 1 else 1
        return width if 1 <= width <= COLUMNS else 1

    @cached_property
    def rows(self) -> list[tuple[int, list[Cell]]]:
        """Rows of cells with their place, counted from 1."""
        if self.columns == 1 and self.reply.kind != "map":
            rows = [[one] for one in self.reply.value]
        else:
            rows = shapes.rows(self.reply)
        return [(n, [_cell(one) for one in row]) for n, row in enumerate(rows, start=1)]


def _cell(reply: Reply) -> Cell:
    if isinstance(reply.value, list):
        lines = commands.text(reply)
        return Cell(lines[: CELL * 4], "lines", len(lines) > CELL * 4 or reply.cut)
    if reply.kind in ("bulk", "simple"):
        text = keys.printable(reply.value[: CELL * 4])
        return Cell(text[:CELL], "text" if text else "blank", len(text) > CELL or reply.cut)
    return Cell(shapes.scalar(reply), reply.kind)
