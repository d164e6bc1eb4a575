"""When beat forgets lists of keys. No models here: beat reads it before Django is up."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, Any] = {
    "forget lists of keys": {
        "task": "keys.forget_lists",
        "schedule": 600.0,
        "options": {"expires": 300, "ignore_result": True},
    },
}
