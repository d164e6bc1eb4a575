"""Which entries a tail shows: one line of text by a fixed grammar.

::

    via=pos                 the field via is pos        total!=0        it is there and is not 0
    via~po                  its value contains po       via=pos cust=7  both
    contains TEXT    matches REGEX    $.path = VALUE    field NAME = TEXT    (as in Search)

A value or name with spaces stands in double quotes; ``\\xNN`` is one byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from redisops.errors import InvalidArgument
from redisops.keys import from_printable
from redisops.searching.grammar import KINDS, Query, parse
from redisops.searching.matching import Opened, find

LONGEST = 300
MOST_TERMS = 8
LOOKED_AT = 64 * 1024  # bytes of a value
_TERM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s"=!~]+)(=|!=|~)("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_WORD = re.compile(rf"({'|'.join(KINDS)})\s|\$")
PLACEHOLDER = "field=value, e.g. via=pos"
EXPECTED = "field=value, field!=value, field~part, or contains TEXT, matches REGEX, $.path = VALUE"


@dataclass(frozen=True)
class Filter:
    """A line as it was written, and what it means; an empty line lets everything through."""

    text: str = ""
    terms: tuple[tuple[bytes, str, bytes], ...] = ()
    query: Query | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return bool(self.text)

    def matches(self, fields: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether an entry with these fields is meant."""
        if self.query is not None:
            return _found(self.query, fields)
        pairs = list(fields)
        return all(_holds(term, pairs) for term in self.terms)


def read(text: str) -> Filter:
    """The filter that a line says; raises InvalidArgument in words for a person."""
    line = text.strip()
    if len(line) > LONGEST:
        raise InvalidArgument(f"A filter has at most {LONGEST} characters.")
    if not line:
        return Filter()
    if _WORD.match(line):
        query = parse(line)
        if query.kind in ("member", "element"):
            raise InvalidArgument("Entries have fields, neither members nor elements.")
        return Filter(line, query=query)
    terms, at = [], 0
    while at < len(line):
        found = _TERM.match(line, at)
        if found is None:
            raise InvalidArgument(f"Not understood from column {at + 1}: write {EXPECTED}.")
        name, sign, value = found.groups()
        terms.append((_bytes(name), sign, _bytes(value)))
        at = found.end()
    if len(terms) > MOST_TERMS:
        raise InvalidArgument(f"A filter has at most {MOST_TERMS} terms.")
    return Filter(line, tuple(terms))


def _bytes(word: str) -> bytes:
    if word.startswith('"'):
        word = word[1:-1].replace('\\"', '"')
    return from_printable(word)


def _holds(term: tuple[bytes, str, bytes], pairs: list[tuple[bytes, bytes]]) -> bool:
    wanted, sign, value = term
    own = [found for name, found in pairs if name == wanted]
    if sign == "=":
        return value in own
    if sign == "!=":
        return bool(own) and value not in own
    return any(value in found for found in own)


def _found(query: Query, fields: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, value in fields:
        if query.kind == "field":
            if name == query.field and value == query.needle:
                return True
            continue
        if query.kind == "contains" and query.needle in name:
            return True
        if find(query, Opened(value[:LOOKED_AT], total=len(value))) is not None:
            return True
    return False
