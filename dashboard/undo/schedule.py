"""When beat empties the recycle bin. No models here: beat reads it before Django is up."""

from __future__ import annotations

from typing import Any

EMPTY_SECONDS = 60

SCHEDULE: dict[str, Any] = {
    "empty the recycle bin": {
        "task": "undo.empty",
        "schedule": float(EMPTY_SECONDS),
        "options": {"expires": EMPTY_SECONDS, "ignore_result": True},
    },
}
