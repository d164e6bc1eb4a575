"""Which time a report is about: since the policy's last change, or a range that people choose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from dashboard.limits.policies.models import LimitPolicy, PolicyVersion
from dashboard.publishing.models import What
from redisops.limits.use import KEEP_MINUTES, Step, Use

COUNTED = (
    "service", "methods", "path", "subject", "algorithm", "limit", "period", "burst", "cost",
    "shares", "mode",
)  # fmt: skip
"""What makes two versions count alike; exemptions, owner and words do not matter."""
MOST_VERSIONS = 200
FINE_SECONDS = 3600
"""Redis has seconds of the last hour, and minutes of eight days."""
FOLLOWS = 1
"""Seconds until every service follows a change."""


@dataclass(frozen=True)
class Span:
    """So many seconds up to now, whatever version counted in them."""

    name: str
    label: str
    seconds: int

    @property
    def is_fine(self) -> bool:
        return self.seconds <= FINE_SECONDS

    def steps(self, use: Use, policy: str) -> list[Step]:
        """Its counts, by second or by minute. A round trip, and one for the server's time."""
        if self.is_fine:
            return use.series(policy, self.seconds)
        return use.minutes(policy, self.seconds // 60)


@dataclass(frozen=True)
class Stretch:
    """The newest time in which the policy was in shadow and counted in one way.

    ``first`` to ``last`` are the versions that held then; ``until`` is None while it goes on.
    """

    first: int
    last: int
    since: datetime
    until: datetime | None
    now: datetime

    name = "shadow"

    @property
    def label(self) -> str:
        return f"Version {self.first}" if self.until else f"Since version {self.first}"

    @property
    def seconds(self) -> int:
        """From its beginning to now; no more than Redis keeps."""
        age = int((self.now - self.since).total_seconds()) - FOLLOWS
        return min(max(age, 1), KEEP_MINUTES)

    @property
    def is_cut(self) -> bool:
        """Whether it began before what Redis keeps."""
        return (self.now - self.since).total_seconds() > KEEP_MINUTES

    @property
    def is_fine(self) -> bool:
        return self.seconds <= FINE_SECONDS

    def steps(self, use: Use, policy: str) -> list[Step]:
        """Its counts: by second, or by whole minutes that lie in it. Round trips as a Span's."""
        if self.is_fine:
            steps = use.series(policy, self.seconds)
            over = int((self.now - self.until).total_seconds()) if self.until else 0
            return steps[: len(steps) - over] if over else steps
        since = self.since.timestamp() + FOLLOWS
        until = self.until.timestamp() if self.until else float("inf")
        found = use.minutes(policy, min(self.seconds // 60 + 1, KEEP_MINUTES // 60))
        return [step for step in found if step.at >= since and step.at + 60 <= until]


SPANS = {
    span.name: span
    for span in (
        Span("15m", "15 min", 900), Span("1h", "1 h", 3600), Span("24h", "24 h", 86_400),
        Span("7d", "7 d", 7 * 86_400),
    )
}  # fmt: skip


def in_shadow(policy: LimitPolicy) -> Stretch | None:
    """The newest stretch of it; None when none of its last versions was in shadow. One query."""
    first: PolicyVersion | None = None
    last: PolicyVersion | None = None
    until: datetime | None = None
    for version in policy.versions.all()[:MOST_VERSIONS]:
        is_there = version.what != What.ARCHIVE
        if first is None:
            if is_there and version.body.get("mode") == "shadow":
                first = last = version
            else:
                until = version.at
        elif is_there and _way(version) == _way(first):
            first = version
        else:
            break
    if first is None or last is None:
        return None
    return Stretch(first.number, last.number, first.at, until, timezone.now())


def changes_in(policy: LimitPolicy, span: Span) -> int:
    """How often the policy changed within the span; the first version is no change. One query."""
    since = timezone.now() - timedelta(seconds=span.seconds)
    return policy.versions.filter(at__gt=since, number__gt=1).count()


def _way(version: PolicyVersion) -> dict[str, object]:
    return {name: version.body.get(name) for name in COUNTED}
