"""What of a counted list one may not expect: said before anything is done, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dashboard.ui import numbers
from redisops.keys import from_url, to_url

NAMED = 3


@dataclass(frozen=True)
class Warning:
    """One thing, the keys it is about (the first few), and those that can be left out by it."""

    title: str
    keys: list[bytes] = field(default_factory=list)
    rest: str = ""
    leave_out: list[bytes] = field(default_factory=list)

    @property
    def leave_out_words(self) -> str:
        return "Leave it out" if len(self.leave_out) == 1 else "Leave these out"


def warnings(facts: dict[str, Any], left_out: frozenset[bytes]) -> list[Warning]:
    """From ``KeyList.facts``; keys that were left out by hand are no matter any more."""
    out = {to_url(key) for key in left_out}
    return [*_big(facts, out), *_rare(facts, out), *_beyond(facts), *_owned(facts), *_used(facts)]


def too_big(rows: list[dict[str, Any]], most: int) -> Iterator[Warning]:
    """Keys that the recycle bin may not take: each is named, with its size."""
    if not rows:
        return
    keys = [from_url(row["key"]) for row in rows]
    named = rows[:NAMED]
    sizes = ", ".join(numbers.size(row["bytes"]) for row in named)
    more = f" and {numbers.exact(len(rows) - NAMED)} more" if len(rows) > NAMED else ""
    which = "1 key is" if len(rows) == 1 else f"{numbers.exact(len(rows))} keys are"
    yield Warning(
        f"{which} too big to be kept for undo (above {numbers.size(most)})", keys[:NAMED],
        f" ({sizes}{more}); left alone unless deleted without undo", keys,
    )  # fmt: skip


def renamed(told: dict[str, Any] | None) -> Iterator[Warning]:
    """What stands in the way of new names: from ``facts["rename"]``."""
    if not told:
        return
    if told.get("taken"):
        keys = [from_url(key) for key in told.get("taken_keys") or []][:NAMED]
        yield Warning(f"{_keys(told['taken'])} have a new name that is taken already", keys)
    if told.get("outside"):
        yield Warning(f"{_keys(told['outside'])} do not begin with {told['old']} and stay as is")


def calm(facts: dict[str, Any]) -> list[str]:
    """What was looked for and not found."""
    words = []
    idle = facts.get("idle") or {}
    if idle.get("known") and not idle.get("month"):
        words.append("None was read or written in the last 30 days")
    if not facts.get("odd_size") and not facts.get("odd_types") and facts.get("types"):
        words.append("No key is unlike the rest by type or size")
    return words


def notes(facts: dict[str, Any], protected: int) -> list[str]:
    """What the figures leave out."""
    words = []
    if protected:
        words.append(f"{_keys(protected)} of the console's own left out")
    if facts.get("refused"):
        missing = ", ".join(f"+{right}" for right in facts["refused"])
        words.append(f"Not all could be measured: this console's user lacks {missing}")
    return words


def _big(facts: dict[str, Any], out: set[str]) -> Iterator[Warning]:
    rows = [row for row in facts.get("odd_size") or [] if row["key"] not in out]
    if not rows:
        return
    keys = [from_url(row["key"]) for row in rows]
    rest = f", {_kind(rows[0])} of {numbers.size(rows[0].get('bytes'))}" if len(rows) == 1 else ""
    more = f" and {numbers.exact(len(keys) - NAMED)} more" if len(keys) > NAMED else ""
    title = "1 key is far bigger than the rest"
    if len(rows) > 1:
        title = f"{numbers.exact(len(rows))} keys are far bigger than the rest"
    yield Warning(title, keys[:NAMED], rest + more, keys)


def _rare(facts: dict[str, Any], out: set[str]) -> Iterator[Warning]:
    rows = [row for row in facts.get("odd_type") or [] if row["key"] not in out]
    if not rows:
        return
    there = max(facts.get("odd_types") or 0, len(rows))
    keys = [from_url(row["key"]) for row in rows]
    types = ", ".join(sorted({row.get("type") or "?" for row in rows}))
    title = f"{_keys(there)} of another type than the rest ({types})"
    more = f" and {numbers.exact(there - NAMED)} more" if there > NAMED else ""
    # Only those that are known by name can be left out.
    yield Warning(title, keys[:NAMED], more, keys if there == len(keys) else [])


def _beyond(facts: dict[str, Any]) -> Iterator[Warning]:
    beyond = facts.get("beyond") or {}
    if not beyond.get("keys"):
        return
    folders = ", ".join(f"{name} ({numbers.exact(n)})" for name, n in beyond.get("folders") or [])
    named = f": {folders}" if folders else ""
    alike = (
        "that only begins alike matches" if beyond["keys"] == 1 else "that only begin alike match"
    )
    yield Warning(f"{_keys(beyond['keys'])} {alike}, too{named}")


def _owned(facts: dict[str, Any]) -> Iterator[Warning]:
    for one in facts.get("owned") or []:
        if not one.get("own"):
            title = f"{_keys(one['keys'])} of the team {one['team']} ({one['prefix']})"
            yield Warning(title)


def _used(facts: dict[str, Any]) -> Iterator[Warning]:
    idle = facts.get("idle") or {}
    if idle.get("known") and idle.get("day"):
        share = 100 * idle["day"] / idle["known"]
        if idle["day"] == idle["known"]:
            many = "All of them" if facts.get("one_in") == 1 else "All of the sample"
        else:
            many = f"About {min(max(share, 1), 99):.0f}%"
        yield Warning(f"{many} were read or written in the last day")


def _kind(row: dict[str, Any]) -> str:
    return f"a {row.get('type') or 'key'}"


def _keys(count: int) -> str:
    return f"{numbers.exact(count)} key{'' if count == 1 else 's'}"
