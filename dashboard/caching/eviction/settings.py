"""The two settings, as CONFIG spells them and as people write and read them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dashboard.ui import numbers
from redisops.eviction import Standing

POLICY, LIMIT = "maxmemory-policy", "maxmemory"
LABELS = {POLICY: "Policy", LIMIT: "Limit"}
_SIZE = re.compile(r"(\d{1,16}(?:\.\d{1,6})?)\s*([kmgt]?)(i?b)?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
LARGEST = 2**53
SMALLEST = 2 * 1024 * 1024
"""Bytes: what a server needs for itself, so that a limit below it lets nothing be written."""


@dataclass(frozen=True)
class Line:
    """One setting before and after, in words."""

    label: str
    before: str
    after: str
    is_changed: bool


def present(standing: Standing) -> dict[str, str]:
    """What each primary is set to now; a name is left out when nobody tells."""
    told = standing.settings.values
    first = standing.shards[0] if standing.shards else None
    policy = told.get(POLICY) or (first.policy if first else None) or ""
    limit = told.get(LIMIT, "")
    if not limit and first is not None and first.limit is not None:
        limit = str(first.limit)
    found = {POLICY: policy, LIMIT: limit}
    return {name: value for name, value in found.items() if value}


def read_size(text: str) -> int:
    """Bytes of "2 GiB", "512mb" or "0"; units are powers of 1024. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip().replace(",", ""))
    if found is None:
        raise ValueError("Write a size such as 2 GiB or 512 MiB, or 0 for no limit.")
    unit: int = 1024 ** _POWERS[found[2].lower()]
    value = round(float(found[1]) * unit)
    if value > LARGEST:
        raise ValueError("That is more than any server has.")
    return value


def size_text(value: int) -> str:
    """The size as it may be typed again and means the same number of bytes."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power} {unit}"
    return str(value)


def spoken(name: str, value: str | None) -> str:
    """A setting's value as people read it."""
    if value is None or value == "":
        return numbers.UNKNOWN
    if name != LIMIT or not value.isdigit():
        return value
    if value == "0":
        return "none"
    short, exact = numbers.size(int(value)), f"{int(value):,} bytes"
    return short if size_text(int(value)).replace(" ", "") == short.replace(" ", "") else (
        f"{short} ({exact})"
    )  # fmt: skip


def lines(before: dict[str, str], after: dict[str, str]) -> list[Line]:
    """Both settings side by side, also one that stays."""
    return [
        Line(
            LABELS[name], spoken(name, before.get(name)), spoken(name, after.get(name)),
            before.get(name) != after.get(name),
        )
        for name in (POLICY, LIMIT)
        if name in before or name in after
    ]  # fmt: skip


def from_to(before: dict[str, str], after: dict[str, str]) -> str:
    """What changes, in words: "policy from volatile-ttl to noeviction and limit from ..."."""
    return " and ".join(
        f"{line.label.lower()} from {line.before} to {line.after}"
        for line in lines(before, after)
        if line.is_changed
    )
