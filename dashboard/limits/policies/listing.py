"""The rows of the list: what each policy does, how it is, and what it did in 15 minutes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpRequest

from dashboard.limits.policies import rights
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.policies.sparks import Spark
from dashboard.publishing.versions import readable
from redisops.limits.policies import Policy, sentence

if TYPE_CHECKING:
    from dashboard.publishing.looking import State

MODES = {"off": ("off", "Off"), "shadow": ("run", "Shadow"), "enforce": ("ok", "Enforced")}
THERE = {
    "published": ("ok", "published"),
    "differs": ("warn", "differs from Redis"),
    "unknown": ("unknown", "not known"),
}


@dataclass(frozen=True)
class Row:
    """One policy of the list. ``broken`` says why its stored form cannot be read, else ""."""

    row: LimitPolicy
    policy: Policy | None
    broken: str
    there: str
    spark: Spark
    is_own: bool

    @property
    def rule(self) -> str:
        """The first sentence of what it does."""
        return sentence(self.policy).split(". ")[0].rstrip(".") if self.policy else self.broken

    @property
    def mode(self) -> tuple[str, str]:
        return MODES.get(self.row.mode, ("unknown", self.row.mode))

    @property
    def published(self) -> tuple[str, str]:
        return THERE.get(self.there, THERE["unknown"])


def rows(
    request: HttpRequest, found: Iterable[LimitPolicy], state: State, sparks: dict[str, Spark]
) -> list[Row]:
    """Every policy as a row, in the order in which services look at them."""
    made = []
    for row in found:
        policy, broken = readable(row)
        made.append(
            Row(
                row, policy, broken, there(state, row) if policy else "differs",
                sparks.get(row.name, Spark()), rights.may_edit(request, row),
            )
        )  # fmt: skip
    return sorted(made, key=lambda one: (one.policy.order if one.policy else 0, one.row.name))


def there(state: State, row: LimitPolicy) -> str:
    """ "published", "differs" or "unknown" for one policy."""
    if state.kind in ("unknown", "published"):
        return state.kind
    found = state.there.named.get(row.name) if state.there else None
    return "published" if found is not None and found == row.as_policy() else "differs"


def kept(rows: list[Row], words: str, mode: str) -> list[Row]:
    """The rows that hold all the words, in the mode that was asked for."""
    wanted = words.casefold().split()
    return [
        one
        for one in rows
        if (not mode or one.row.mode == mode) and all(word in _text(one) for word in wanted)
    ]


def _text(one: Row) -> str:
    policy = one.policy
    parts = [one.row.name, str(one.row.team or ""), one.rule]
    if policy is not None:
        parts += [policy.service, policy.path, policy.note, *policy.methods]
    return " ".join(parts).casefold()


def verdict(rows: list[Row]) -> str:
    """How many there are and what they do."""
    counts = {mode: sum(one.row.mode == mode for one in rows) for mode in MODES}
    said = [
        f"{count} {words}"
        for count, words in (
            (counts["enforce"], "enforced"),
            (counts["shadow"], "in shadow"),
            (counts["off"], "off"),
        )
        if count
    ]  # fmt: skip
    total = len(rows)
    return f"{total} polic{'y' if total == 1 else 'ies'}: {', '.join(said)}."
