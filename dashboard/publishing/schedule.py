"""When beat compares what is published with what people decided. No models: beat reads it early."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

EVERY = 5
"""Seconds between two looks at what Redis has; what was not published is tried again then."""


def comparing(area: str, what: str) -> dict[str, Any]:
    """The entry of beat's schedule for the area's task ``<area>.reconcile``."""
    return {
        f"compare published {what}": {
            "task": f"{area}.reconcile",
            "schedule": timedelta(seconds=EVERY),
            "options": {"expires": 2 * EVERY, "ignore_result": True},
        },
    }
