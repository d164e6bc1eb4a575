"""A list of keys as it is counted, and once it is: how far, and ``KeyList.facts`` in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboard.keys.browsing.forms import EXPIRIES, choices, range_words
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.models import Server
from dashboard.ui import numbers

if TYPE_CHECKING:
    from dashboard.jobs.models import Job

EXPIRY_WORDS = {
    "none": "never", "hour": "within an hour", "day": "within a day", "week": "within a week",
    "later": "later", "gone": "expired since",
}  # fmt: skip


class Counted:
    """A list of one server. ``job`` is the one that counts or counted it."""

    def __init__(self, server: Server, key_list: KeyList, job: Job | None) -> None:
        self.server = server
        self.list = key_list
        self.job = job
        counting = key_list.state == KeyList.State.COUNTING
        if counting and job is not None and not job.is_unfinished:
            # It came to its end between the two queries: what it left is there now.
            key_list.refresh_from_db()
        self.facts: dict[str, Any] = key_list.facts or {}

    # --- Where it stands -----------------------------------------------------------------

    @property
    def is_counting(self) -> bool:
        waits = self.list.state == KeyList.State.COUNTING
        return waits and self.job is not None and self.job.is_unfinished

    @property
    def is_counted(self) -> bool:
        return self.list.is_ready

    @property
    def is_stale(self) -> bool:
        return self.is_counted and not self.list.is_fresh

    @property
    def ended(self) -> str:
        if self.list.problem:
            return "These keys were not counted"
        stopped = self.job is not None and self.job.state == self.job.State.CANCELLED
        return "The count was stopped" if stopped else "The count did not come to its end"

    @property
    def ended_why(self) -> str:
        return self.list.problem or "A part of a list is no list: it must be counted again."

    @property
    def error(self) -> str:
        return self.job.error if self.job is not None else ""

    @property
    def found(self) -> int:
        return self.job.done if self.job is not None else 0

    @property
    def share(self) -> float | None:
        """Of what is under way: the walk over the names, then the look at what was found."""
        if self.job is None:
            return None
        at = self.job.checkpoint
        behind, total = (
            (at.get("position", 0), at.get("total", 0)) if at.get("phase") == "look"
            else (at.get("scanned", 0), at.get("keyspace", 0))
        )  # fmt: skip
        return min(behind / total, 1.0) if total else self.job.share

    @property
    def progress(self) -> str:
        if self.job is None or not (self.job.checkpoint or self.job.counted):
            return "Waiting for a worker to begin"
        at = self.job.checkpoint
        if at.get("phase") == "look":
            behind, total = numbers.exact(at.get("position", 0)), numbers.exact(at.get("total", 0))
            return f"All names are found; types and sizes: {behind} of {total} keys"
        if at.get("phase") == "names":
            return "All keys are looked at; now whether their new names are taken"
        of = f" of about {numbers.exact(at['keyspace'])}" if at.get("keyspace") else ""
        return f"{numbers.exact(at.get('scanned', 0))}{of} names looked at"

    @property
    def pace(self) -> str:
        """Why it is slow, or waits."""
        return (self.job.waits or self.job.slowed) if self.job is not None else ""

    # --- Figures -------------------------------------------------------------------------

    @property
    def scope(self) -> str:
        return self.list.label

    @property
    def filters(self) -> list[str]:
        told = [self.list.type] if self.list.type else []
        if self.list.ttl:
            told.append(dict(choices(EXPIRIES, self.list.ttl, numbers.duration))[self.list.ttl])
        if self.list.size:
            told.append(range_words(self.list.size, numbers.size))
        if self.list.idle:
            told.append(f"last used {range_words(self.list.idle, numbers.duration).lower()} ago")
        if self.list.left_out:
            told.append(f"{numbers.exact(len(self.list.left_out))} left out")
        return told

    @property
    def count(self) -> int:
        return self.list.acting

    @property
    def keys_words(self) -> str:
        return f"{numbers.exact(self.count)} key{'' if self.count == 1 else 's'}"

    @property
    def total(self) -> int | None:
        return self.facts.get("keyspace")

    @property
    def counted(self) -> Any:
        return self.list.counted

    @property
    def protected(self) -> int:
        return self.list.protected

    @property
    def memory(self) -> int | None:
        return self.list.memory

    @property
    def is_sampled(self) -> bool:
        return bool(self.list.margin)

    @property
    def bytes_how(self) -> str:
        if self.memory is None:
            return "the right to ask for sizes is missing"
        one_in = self.facts.get("one_in") or 1
        how = "every key measured" if one_in <= 1 else f"sampled, 1 key in {numbers.exact(one_in)}"
        return f"{how}, ± {numbers.size(self.list.margin)}" if self.list.margin else how

    @property
    def types(self) -> list[tuple[str, int, float]]:
        return shares(self.facts.get("types") or {}, {})

    @property
    def expiries(self) -> list[tuple[str, int, float]]:
        return shares(self.facts.get("expiry") or {}, EXPIRY_WORDS)

    @property
    def shares_words(self) -> str:
        """Of how many keys types and expiry are told."""
        if (self.facts.get("one_in") or 1) <= 1:
            return "Types and expiry of all of them"
        if self.facts.get("exact_types"):
            return "Types of all of them, expiry estimated from a sample"
        return "Types and expiry estimated from a sample"

    # --- What counting has cost ----------------------------------------------------------

    @property
    def each_command(self) -> float:
        """Seconds of the server for one command, as measured while counting; 0: not measured."""
        job = self.job
        if job is None or not job.commands:
            return 0.0
        return max(job.seconds - job.round_trips * self.trip, 0.0) / job.commands

    @property
    def trip(self) -> float:
        """Seconds there and back: its PINGs' median, else the mean of the trips that it made."""
        job = self.job
        if job is None or not job.round_trips:
            return 0.0
        mean: float = job.seconds / job.round_trips
        ping = job.latency.get("p50")
        return min(ping / 1000, mean) if ping is not None else mean

    @property
    def cost_words(self) -> str:
        if not self.is_counted or self.job is None or not self.job.commands:
            return "Names are walked by SCAN, in bounded steps"
        commands, trips = numbers.exact(self.job.commands), numbers.exact(self.job.round_trips)
        spent = numbers.duration(self.job.seconds)
        return f"Counting cost the server {commands} commands, {trips} round trips, {spent}"


def shares(counts: dict[str, int], words: dict[str, str]) -> list[tuple[str, int, float]]:
    """(name, keys, share) of what there is, the most first."""
    total = sum(counts.values()) or 1
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    return [(words.get(name, name), keys, keys / total) for name, keys in ordered if keys]
