"""When beat looks whether keys are to be counted. No models: beat reads it before Django is up."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, Any] = {
    "keys.count_due": {"task": "keys.count_due", "schedule": 600.0, "options": {"expires": 300}},
}
