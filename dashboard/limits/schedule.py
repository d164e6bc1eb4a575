"""When beat looks after the area. No models: beat reads it early."""

from dashboard.publishing.schedule import comparing

SCHEDULE = comparing("limits", "rate limits")
