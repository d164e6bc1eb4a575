"""When beat removes files of keys. No models here: beat reads it before Django is up."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, Any] = {
    "remove old exports": {
        "task": "keys.remove_archives",
        "schedule": 300.0,
        "options": {"expires": 240, "ignore_result": True},
    },
}
