"""When beat looks after leaderboards. No models here: beat reads it before Django is up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

LOOK_SECONDS = 15

SCHEDULE: dict[str, Any] = {
    "keep the top of leaderboards": {
        "task": "leaderboards.look",
        "schedule": timedelta(seconds=LOOK_SECONDS),
        "options": {"expires": 2 * LOOK_SECONDS, "ignore_result": True},
    },
}
