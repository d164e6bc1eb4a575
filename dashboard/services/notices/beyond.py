"""Those in trouble beyond the first thousand of a service: counted by state, and not named.

A tally is one value of SQL that is read and written with every change: what 20,000 instances that
fall at once would make of it is bounded here. A count stands among the entries under a name that
no instance can have: ``[state, since, until, "", how many]``. It is kept by what changes say of the
state before, so it may be off by those whose changes are not known, until the service is read.
"""

from __future__ import annotations

from typing import Any

from dashboard.services.history.models import Change

MOST = 1_000
"""Instances of a service that its tally names."""
_SIGN = " "
"""Ids of instances have no spaces."""
STATES = ("warning", "silent", "critical", "gone")
NAMES = [_SIGN + state for state in STATES]

Entries = dict[str, list[Any]]


def is_count(id: str) -> bool:
    """Whether it is a count, and no instance."""
    return id.startswith(_SIGN)


def is_any(entries: Entries) -> bool:
    """Whether some are only counted."""
    return any(name in entries for name in NAMES)


def count(entry: list[Any]) -> int:
    """How many instances an entry stands for."""
    return int(entry[4]) if len(entry) > 4 else 1


def add(entries: Entries, state: str, at: float, until: float) -> None:
    """One more that is ``state`` since ``at``; all of it is waited for as long as the last one."""
    before = entries.get(_SIGN + state) or [state, at, until, "", 0]
    entries[_SIGN + state] = [
        state, min(before[1], at), max(before[2], until), "", count(before) + 1
    ]  # fmt: skip


def take_out(entries: Entries, change: Change) -> bool:
    """One less of those that were as this instance was before; whether there was one.

    One that comes back with a check is starting first, and well only after it.
    """
    was = {"none": "gone", "starting": "gone"}.get(change.from_state, change.from_state)
    if was == "passing" and change.why == "it beats again":
        was = "silent"
    entry = entries.get(_SIGN + was)
    if entry is None:
        return False
    left = count(entry) - 1
    if left > 0:
        entries[_SIGN + was] = [*entry[:4], left]
    else:
        del entries[_SIGN + was]
    return True
