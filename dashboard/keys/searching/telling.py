"""What a search did so far and what it did not look at, as sentences."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from dashboard.jobs.models import Job
from dashboard.ui import numbers
from redisops.searching import NOTES, Bounds

WORDS = {
    "cut": "Of {values} only the first {size} was looked at.",
    "elements": "Of {values} only the first elements were looked at, {most} at most.",
    "large": "Not looked into, because elements are larger than {size}: {values}.",
    "slow": "Of {values} only a part was looked at: unpacking took too long.",
    "packed": "Of {values} only a part could be unpacked.",
    "type": "Left out, because their type cannot be searched: {values}.",
    "reach": "Out of this console's reach (an ACL rule such as %R~* is missing): {values}.",
    "refused": "Not looked at, because a right is missing: {values}.",
}
assert WORDS.keys() == NOTES.keys()


class Told:
    """A job that searches, in words."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._at: dict[str, Any] = job.checkpoint

    @property
    def found(self) -> int:
        return int(self._at.get("found") or 0)

    @property
    def scanned(self) -> int:
        return int(self._at.get("scanned") or 0)

    @property
    def keyspace(self) -> int:
        return int(self._at.get("keyspace") or 0)

    @property
    def share(self) -> float | None:
        """Names that were walked, of all; the search of the last ones may go on after that."""
        if self.job.state == Job.State.DONE:
            return 1.0
        return min(self.scanned / self.keyspace, 1.0) if self.keyspace else None

    @property
    def notes(self) -> list[str]:
        """What of the values was not looked at."""
        bounds = Bounds()
        size, most = numbers.size(bounds.value), f"{bounds.elements:,}"
        counts = self._at.get("notes") or {}
        return [
            words.format(values=_values(counts[name]), size=size, most=most)
            for name, words in WORDS.items()
            if counts.get(name)
        ]

    @property
    def missing(self) -> list[str]:
        """The rights that lacked, as ACL rules spell them."""
        return [right for right in self._at.get("missing") or [] if right != "~"]

    @property
    def url(self) -> str:
        slug = self.job.server.slug
        return reverse("keys:search_result", args=[slug, self.job.params["list"]])


def _values(count: int) -> str:
    return f"{numbers.exact(count)} value{'' if count == 1 else 's'}"
