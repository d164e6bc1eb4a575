r"""A line as people type it into redis-cli, taken apart into the arguments of a command.

Words are parted by white space. In double quotes ``\n \r \t \b \a \\ \"`` and ``\xNN`` stand
for bytes; in single quotes only ``\'`` does. A closing quote must be followed by white space.
"""

from __future__ import annotations

from redisops import keys
from redisops.errors import InvalidArgument

LONGEST_LINE = 64 * 1024
MOST_ARGUMENTS = 1_100

_SPACE = " \t\r\n\v\f\0"
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}
_HEX = "0123456789abcdefABCDEF"


class BadLine(InvalidArgument):
    """A line that cannot be taken apart; ``column`` counts characters from 1."""

    def __init__(self, words: str, column: int) -> None:
        super().__init__(f"column {column}: {words}")
        self.words = words
        self.column = column


def parse(line: str) -> list[bytes]:
    """The arguments of one line; [] for one of white space. Raises BadLine.

    Characters outside of escapes are UTF-8, as redis-cli sends them from a terminal.
    """
    if len(line) > LONGEST_LINE:
        raise BadLine(f"the line is longer than {LONGEST_LINE:,} characters", LONGEST_LINE)
    args: list[bytes] = []
    at = 0
    while True:
        while at < len(line) and line[at] in _SPACE:
            at += 1
        if at == len(line):
            return args
        if len(args) == MOST_ARGUMENTS:
            raise BadLine(f"more than {MOST_ARGUMENTS:,} arguments", at + 1)
        arg, at = _word(line, at)
        args.append(arg)


def _word(line: str, at: int) -> tuple[bytes, int]:
    """One argument that begins at ``at``, and where it ends; quotes may open inside it."""
    out = bytearray()
    while at < len(line) and line[at] not in _SPACE:
        if line[at] in "\"'":
            piece, at = _quoted(line, at)
            out += piece
            if at < len(line) and line[at] not in _SPACE:
                raise BadLine("white space must follow a closing quote", at + 1)
        else:
            out += _utf8(line[at])
            at += 1
    return bytes(out), at


def _quoted(line: str, start: int) -> tuple[bytes, int]:
    quote = line[start]
    out = bytearray()
    at = start + 1
    while at < len(line):
        character = line[at]
        if character == quote:
            return bytes(out), at + 1
        following = line[at + 1 : at + 2]
        if character == "\\" and quote == "'" and following == "'":
            out += b"'"
            at += 2
        elif character == "\\" and quote == '"' and following:
            code = line[at + 2 : at + 4]
            if following == "x" and len(code) == 2 and all(one in _HEX for one in code):
                out.append(int(code, 16))
                at += 4
            else:
                out += _ESCAPES.get(following) or _utf8(following)
                at += 2
        else:
            out += _utf8(character)
            at += 1
    raise BadLine(f"the quote {quote} is never closed", start + 1)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def spell(arg: bytes) -> str:
    """An argument as ``parse`` takes it: plain where it can be, else in double quotes."""
    shown = keys.printable(arg)
    plain = arg and shown.isprintable() and not any(one in "\"'\\ " for one in shown)
    if plain:
        return shown
    if "\\" not in shown and "'" not in shown and '"' in shown:
        return f"'{shown}'"
    # printable() writes \\ for a backslash and \xNN for what cannot be seen: both are ours, too.
    return '"' + shown.replace('"', '\\"') + '"'


def join(args: list[bytes]) -> str:
    """A whole command as one line that ``parse`` takes apart again."""
    return " ".join(spell(arg) for arg in args)
