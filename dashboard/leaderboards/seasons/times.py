"""When a season ends by itself."""

from __future__ import annotations

import datetime

from dashboard.leaderboards.boards.models import Every
from redisops.windows import window_at


def next_end(every: str, now: datetime.datetime) -> datetime.datetime | None:
    """The first moment after ``now`` at which a season of that length ends; None for never."""
    if every == Every.NEVER:
        return None
    end = window_at(every, now.timestamp()).end  # type: ignore[arg-type]
    return None if end is None else datetime.datetime.fromtimestamp(end, datetime.UTC)
