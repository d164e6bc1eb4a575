"""When beat looks after the area. No models: beat reads it early."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

COUNT_SECONDS = 30

SCHEDULE: dict[str, Any] = {
    "count sessions": {
        "task": "sessions.count",
        "schedule": timedelta(seconds=COUNT_SECONDS),
        "options": {"expires": 2 * COUNT_SECONDS, "ignore_result": True},
    },
}
