"""What can be looked for in values: one line of text, read into a :class:`Query`.

::

    contains TEXT            equals TEXT             matches REGEX
    $.PATH = VALUE           field NAME = TEXT       member TEXT        element TEXT

``TEXT`` is the rest of the line, or stands in double quotes where spaces at its ends count;
``\\xNN`` is one byte, ``\\\\`` a backslash, ``\\"`` a quote inside quotes. A line that breaks a
rule raises :class:`GrammarError` with the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from redisops.codecs import optional
from redisops.errors import InvalidArgument
from redisops.keys import from_printable
from redisops.searching import paths
from redisops.searching.paths import Literal, Path

re2 = optional("re2")

LONGEST = 2_000  # characters of a query
LONGEST_REGEX = 500
REGEX_MEMORY = 2 * 1024 * 1024  # bytes for a compiled expression and its states
_WORD = re.compile(r"[a-z]+")
_ESCAPED = re.compile(r'\\(\\|"|x[0-9a-fA-F]{2})')
KINDS = ("contains", "equals", "matches", "field", "member", "element")
EXPECTED = (
    "contains TEXT, equals TEXT, matches REGEX, $.path = VALUE, field NAME = TEXT, member TEXT "
    "or element TEXT"
)


class GrammarError(InvalidArgument):
    """The line breaks a rule; ``column`` counts characters from 1, ``why`` is a sentence."""

    def __init__(self, column: int, why: str) -> None:
        super().__init__(f"At column {column}: {why}")
        self.column = column
        self.why = why


@dataclass(frozen=True)
class Query:
    """One thing to look for.

    ``kind`` is "contains", "equals", "matches", "path", "field", "member" or "element".
    ``needle`` are the bytes looked for, ``field`` the name of a hash's or stream's field,
    ``path`` and ``literal`` what a path must lead to, ``regex`` the compiled expression.
    """

    text: str
    kind: str
    needle: bytes = b""
    field: bytes = b""
    path: Path | None = None
    literal: Literal | None = None
    regex: Any = None

    @property
    def masked(self) -> str:
        """Its form without what is looked for: for titles and records that others read."""
        if self.kind == "path":
            return "a value at a JSON path"
        if self.kind == "field":
            return "a value of one field"
        if self.kind in ("member", "element"):
            return f"one {self.kind}"
        words = {"contains": "a text inside", "equals": "a whole value"}
        return words.get(self.kind, "a regular expression")


def parse(text: str) -> Query:
    """The query that ``text`` says; raises GrammarError."""
    if len(text) > LONGEST:
        raise GrammarError(LONGEST + 1, f"a query has at most {LONGEST:,} characters.")
    start = len(text) - len(text.lstrip())
    if start == len(text):
        raise GrammarError(1, f"say what to look for: {EXPECTED}.")
    if text[start] == "$":
        return _path(text, start)
    word = _WORD.match(text, start)
    kind = word[0] if word else ""
    if (
        word is None
        or kind not in KINDS
        or text[word.end() : word.end() + 1] not in ("", " ", "\t")
    ):
        raise GrammarError(start + 1, f"a query begins with {EXPECTED}.")
    at = _space(text, word.end())
    if kind == "matches":
        return Query(text, kind, regex=_regex(text, at))
    if kind == "field":
        name, at = _name(text, at)
        return Query(text, kind, needle=_rest(text, _equals_sign(text, at)), field=name)
    needle = _rest(text, at)
    if not needle and kind == "contains":
        raise GrammarError(at + 1, "an empty text is in every value.")
    return Query(text, kind, needle=needle)


def _path(text: str, start: int) -> Query:
    try:
        path, at = paths.parse(text, start)
        at = _equals_sign(text, at)
        literal = paths.literal(text, at)
    except paths.BadPath as error:
        raise GrammarError(error.at + 1, str(error)) from None
    return Query(text, "path", path=path, literal=literal)


def _space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _equals_sign(text: str, at: int) -> int:
    """Where the value begins, after ``=``."""
    at = _space(text, at)
    if text[at : at + 1] != "=":
        raise GrammarError(at + 1, "an = is expected here, and then a value.")
    return _space(text, at + 1)


def _name(text: str, at: int) -> tuple[bytes, int]:
    if text[at : at + 1] == '"':
        return _quoted(text, at)
    end = text.find("=", at)
    end = len(text) if end < 0 else end
    name = text[at:end].rstrip()
    if not name:
        raise GrammarError(at + 1, "the name of a field is expected here.")
    return from_printable(name), end


def _rest(text: str, at: int) -> bytes:
    """The text from ``at`` to the end of the line."""
    if text[at : at + 1] == '"':
        found, end = _quoted(text, at)
        end = _space(text, end)
        if end < len(text.rstrip()):
            raise GrammarError(end + 1, "nothing may follow the closing quote.")
        return found
    found = from_printable(text[at:].rstrip())
    if not found:
        raise GrammarError(at + 1, 'a text is expected here; "" is the empty one.')
    return found


def _quoted(text: str, at: int) -> tuple[bytes, int]:
    found = bytearray()
    place = at + 1
    while place < len(text):
        character = text[place]
        if character == '"':
            return bytes(found), place + 1
        escape = _ESCAPED.match(text, place)
        if escape:
            found += bytes.fromhex(escape[1][1:]) if len(escape[1]) > 1 else escape[1].encode()
            place = escape.end()
        else:
            found += character.encode("utf-8", "surrogatepass")
            place += 1
    raise GrammarError(at + 1, "this quote is never closed.")


def _regex(text: str, at: int) -> Any:
    pattern = text[at:].rstrip()
    if not pattern:
        raise GrammarError(at + 1, "a regular expression is expected here.")
    if len(pattern) > LONGEST_REGEX:
        raise GrammarError(at + 1, f"an expression has at most {LONGEST_REGEX} characters.")
    if re2 is None:
        raise GrammarError(at + 1, "expressions need the package google-re2, not installed here.")
    options = re2.Options()
    options.max_mem = REGEX_MEMORY
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        words = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        raise GrammarError(at + 1, f"this expression cannot be read: {words[:200]}.") from None
