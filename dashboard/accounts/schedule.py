"""When beat tidies up behind people. No models here: beat reads it before Django is up."""

from __future__ import annotations

from typing import Any

TIDY_SECONDS = 600

SCHEDULE: dict[str, Any] = {
    "tidy up sessions": {
        "task": "accounts.tidy",
        "schedule": float(TIDY_SECONDS),
        "options": {"expires": TIDY_SECONDS, "ignore_result": True},
    },
}
