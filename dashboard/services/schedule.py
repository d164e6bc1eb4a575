"""When beat looks after services. No models: beat reads it early."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

SCHEDULE: dict[str, Any] = {
    "see that services are watched": {
        "task": "services.watch",
        "schedule": timedelta(seconds=5),
        "options": {"queue": "services", "expires": 5, "ignore_result": True},
    },
    "forget old changes of services": {
        "task": "services.tidy_history",
        "schedule": timedelta(hours=1),
        "options": {"expires": 3_600, "ignore_result": True},
    },
    "fold the latency of services": {
        "task": "services.fold_latency",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60, "ignore_result": True},
    },
    "tell of services": {
        "task": "services.notify",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 10, "ignore_result": True},
    },
    "forget old notifications": {
        "task": "services.forget_deliveries",
        "schedule": timedelta(hours=1),
        "options": {"expires": 3_600, "ignore_result": True},
    },
}
