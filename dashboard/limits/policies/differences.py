"""Two policies field by field, in words."""

from __future__ import annotations

import datetime
from typing import Any

from dashboard.limits.policies.forms import FAILURES_SAID, MODES_SAID, PARTS, WAYS, said_period
from dashboard.publishing.wording import NOTHING, Wording

LABELS = {
    "mode": "Mode",
    "service": "Service",
    "methods": "Methods",
    "path": "Path",
    "subject": "Counted per",
    "algorithm": "Way of counting",
    "limit": "Requests",
    "period": "Per",
    "burst": "At once",
    "cost": "Cost of one request",
    "shares": "Priority classes",
    "on_failure": "If Redis does not answer",
    "order": "Order",
    "exempt": "Exempt",
    "banned": "Banned",
    "note": "Note",
    "owner": "Owner",
}
SHOWN = 20


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value}" or NOTHING


def _parts(value: tuple[str, ...]) -> str:
    named = [PARTS.get(one, one.replace("header:", "header ")) for one in value]
    return " and ".join(named) or NOTHING


def _ends(entries: tuple[Any, ...]) -> str:
    def end(seconds: float) -> str:
        try:
            return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%d %b %Y %H:%M}"
        except (OverflowError, OSError, ValueError):
            return "for ever"

    said = [f"{one.subject[:80]} until {end(one.until)}" for one in entries[:SHOWN]]
    more = f", and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return ", ".join(said) + more if said else "none"


_SAY: dict[str, Any] = {
    "mode": lambda value: MODES_SAID.get(value, value),
    "service": lambda value: "any" if value == "*" else value,
    "methods": lambda value: ", ".join(value) or "any",
    "path": lambda value: "any" if value == "*" else value,
    "subject": _parts,
    "algorithm": lambda value: WAYS.get(value, value),
    "period": said_period,
    "burst": lambda value: "the limit" if value is None else f"{value:,}",
    "shares": lambda value: ", ".join(f"{name} {part:.0%}" for name, part in value) or "none",
    "on_failure": lambda value: FAILURES_SAID.get(value, value),
    "exempt": _ends,
    "banned": _ends,
}


def _say(name: str, value: Any) -> str:
    return str(_SAY.get(name, _plain)(value))


LIMITS = Wording(LABELS, _say)
