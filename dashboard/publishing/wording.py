"""Policies as people read them: a sentence with its fields marked, and two of them compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NOTHING = "—"


@dataclass(frozen=True)
class Said:
    """``pieces`` of the first sentences, each with whether it is a field; ``rest``: the others."""

    pieces: list[tuple[str, bool]]
    rest: str = ""


@dataclass(frozen=True)
class Line:
    """One field: its label, its words before and after."""

    label: str
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Wording:
    """The fields of one kind of policy. ``labels`` by field; ``say(field, value)`` is its words.

    A policy that is None (nothing there) has "—" for each field.
    """

    labels: Mapping[str, str]
    say: Callable[[str, Any], str]

    def words(self, name: str, policy: Any | None) -> str:
        """One field of a policy in words."""
        return NOTHING if policy is None else self.say(name, getattr(policy, name))

    def lines(self, before: Any | None, after: Any | None) -> list[Line]:
        """Every field of the two."""
        return [
            Line(label, self.words(name, before), self.words(name, after))
            for name, label in self.labels.items()
        ]

    def changed(self, before: Any | None, after: Any | None) -> list[Line]:
        """The fields that differ."""
        return [line for line in self.lines(before, after) if line.is_changed]

    def changed_first(self, before: Any | None, after: Any | None) -> list[Line]:
        """Every field, those that differ before the others."""
        return sorted(self.lines(before, after), key=lambda line: not line.is_changed)

    def side_by_side(self, *policies: Any | None) -> list[tuple[str, list[str]]]:
        """The fields in which any of them differ: the label, and the words of each."""
        rows = [
            (label, [self.words(name, policy) for policy in policies])
            for name, label in self.labels.items()
        ]
        return [(label, words) for label, words in rows if len(set(words)) > 1]

    def conflict(self, was: Any | None, now: Any | None, typed: Any | None) -> list[dict[str, str]]:
        """Field by field: what a change was made from, how it is now, what was typed."""
        return [
            {"label": label, "was": words[0], "now": words[1], "typed": words[2]}
            for label, words in self.side_by_side(was, now, typed)
        ]
