"""When beat looks after jobs. No models here: beat reads it before Django is up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

REVIVE_SECONDS = 2
FORGET_SECONDS = 600

SCHEDULE: dict[str, Any] = {
    "find jobs that nobody does": {
        "task": "jobs.revive",
        "schedule": timedelta(seconds=REVIVE_SECONDS),
        "options": {"expires": 5 * REVIVE_SECONDS, "ignore_result": True},
    },
    "forget old jobs": {
        "task": "jobs.forget",
        "schedule": timedelta(seconds=FORGET_SECONDS),
        "options": {"expires": FORGET_SECONDS / 2, "ignore_result": True},
    },
}
