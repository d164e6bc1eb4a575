"""What a dry run says of one action on a counted list: its cost, its risks, what to confirm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from dashboard.keys.bulk import unlike
from dashboard.keys.bulk.actions import Action
from dashboard.keys.bulk.counted import Counted
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.bulk.walking import MOST
from dashboard.servers import access
from dashboard.servers.load.ceilings import NO_SHARE, share_of
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.keys import from_url, printable

if TYPE_CHECKING:
    from dashboard.accounts.models import User
    from dashboard.jobs.models import Job

SHOWN = 4
LONGEST_TYPED = 80
EVERYTHING = b"*"


@dataclass(frozen=True)
class Sample:
    """One measured key."""

    key: bytes
    type: str
    expires: str
    size: int | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Sample:
        ttl = row.get("ttl")
        expires = "no expiry" if ttl is None else " ".join(numbers.duration(ttl).split()[:2])
        return cls(from_url(row["key"]), row.get("type") or "?", expires, row.get("bytes"))


class DryRun(Counted):
    """A list for one action, as its page shows it. ``job`` is the one that counts or counted."""

    def __init__(
        self, server: Server, user: User, key_list: KeyList, action: Action, job: Job | None
    ) -> None:
        super().__init__(server, key_list, job)
        self.user = user
        self.action = action

    @property
    def verdict(self) -> str:
        if self.is_counting:
            return f"The keys are being counted. Nothing on {self.server.name} is changed by it."
        if not self.is_counted:
            return f"{self.ended}. Nothing was {self.action.past}."
        if self.is_stale:
            return "Dry run, too old to act on. Nothing was changed."
        return f"Dry run: nothing has been {self.action.past} yet."

    # --- What it takes -------------------------------------------------------------------

    @property
    def default_limit(self) -> int:
        """Commands a second that go without saying: less where people depend on the server."""
        return 10_000 if self.server.is_production else 50_000

    @property
    def seconds(self) -> float:
        """How long the action takes, from how the server answered while the keys were counted.

        Waiting for answers may take the share of the time that the ceiling leaves, as the pace of
        jobs has it; never faster than the limit.
        """
        commands = self.count * self.action.commands
        limit, share = share_of(self.server, self.default_limit)
        trips = -(-self.count // MOST) * self.action.trips
        waiting = commands * self.each_command + trips * self.trip
        return max(commands / (limit or self.default_limit), waiting / (share or 1.0), 0.1)

    @property
    def seconds_how(self) -> str:
        rate = numbers.exact(self.default_limit)
        share, limit = self.server.load_share, f"at most {rate} commands/s"
        if not self.trip:
            return f"{limit}; its answers were not measured"
        measured = f"answers in {numbers.duration(self.trip)} as when counting"
        ceiling = f", {share:g}% of the server's time" if share < NO_SHARE else ""
        return f"{measured}{ceiling}, {limit}"

    # --- Which keys ----------------------------------------------------------------------

    @cached_property
    def shown(self) -> list[Sample]:
        """Some of the keys, the odd ones first."""
        rows, known = [], set()
        odd = [*self.facts.get("odd_size", [])[:2], *self.facts.get("odd_type", [])[:2]]
        out = set(self.list.left_out)
        for row in [*odd, *self.facts.get("samples", [])]:
            if row["key"] not in known and row["key"] not in out:
                known.add(row["key"])
                rows.append(Sample.of(row))
        return rows[:SHOWN]

    @property
    def warnings(self) -> list[unlike.Warning]:
        renaming = self.facts.get("rename") if self.action.do == "rename" else None
        unkept = self.too_big if self.action.keeps and not self.cannot_keep else []
        return [
            *unlike.too_big(unkept, settings.UNDO_VALUE_BYTES),
            *unlike.warnings(self.facts, self.list.kept_out),
            *unlike.renamed(renaming),
        ]

    @cached_property
    def too_big(self) -> list[dict[str, Any]]:
        """Rows of measured keys that take more memory than the recycle bin takes of a value."""
        out = set(self.list.left_out)
        return [row for row in self._over_the_bin if row["key"] not in out]

    @property
    def _over_the_bin(self) -> list[dict[str, Any]]:
        rows = self.facts.get("biggest") or []
        return [row for row in rows if row["bytes"] > settings.UNDO_VALUE_BYTES]

    @property
    def calm(self) -> list[str]:
        return unlike.calm(self.facts)

    @property
    def notes(self) -> list[str]:
        return unlike.notes(self.facts, self.list.protected)

    # --- What to confirm -----------------------------------------------------------------

    @property
    def expected(self) -> str:
        """What must be typed: it names what will be lost, or the server where that counts.

        Production asks for the server's name by itself where something may be lost.
        """
        if self.asks_twice:
            if bytes(self.list.match) == EVERYTHING:
                return self.keys_typed
        elif self.server.is_production or bytes(self.list.match) == EVERYTHING:
            return self.server.name
        found_by_name = self.list.source in (KeyList.Source.PREFIX, KeyList.Source.PATTERN)
        if found_by_name and len(self.list.label) <= LONGEST_TYPED:
            return self.list.label
        if self.count == 1 and (name := self._only_name):
            return name
        return self.keys_typed

    @property
    def asks_twice(self) -> bool:
        """Whether what is lost and the server's name are both typed."""
        return self.server.is_production and self.action.is_danger

    @property
    def keys_typed(self) -> str:
        return f"{self.count} key{'' if self.count == 1 else 's'}"

    @cached_property
    def _only_name(self) -> str:
        keys = [key for key in self.list.keys(0, 50) if key not in self.list.kept_out]
        name = printable(keys[0]) if keys else ""
        return name if len(name) <= LONGEST_TYPED and name == name.strip() else ""

    @property
    def button(self) -> str:
        return self.action.button_for(self.count, numbers.exact(self.count))

    @cached_property
    def cannot_keep(self) -> str:
        """Why these keys cannot be kept for undo; "" when they can."""
        from dashboard import undo

        never = sum(row["bytes"] for row in self._over_the_bin)
        return str(undo.can_keep(self.server, max((self.memory or 0) - never, 0)))

    @property
    def undo_words(self) -> str:
        size = f", about {numbers.size(self.memory)}" if self.memory else ""
        return f"Keep them for undo, sealed on the console, not in Redis{size}"

    @cached_property
    def targets(self) -> list[Server]:
        """The servers that this person may write, this one first."""
        least = access.right("keys.bulk").role
        mine = access.servers_for(self.user).exclude(pk=self.server.pk).filter(withdrawn=None)
        others = [server for server in mine if access.role_found(server).allows(least)]
        return [self.server, *others]

    @property
    def no_database(self) -> str:
        """Why no other database of this server can be chosen; "" when one can."""
        if self.server.kind == self.server.Kind.CLUSTER:
            return "A cluster has one database only."
        if self.server.is_home:
            return "Another database of the console's own Redis can be added as a server."
        return ""

    @cached_property
    def newest(self) -> Job | None:
        """The last job that acted on this list: a form shown before it began starts no second."""
        from dashboard.jobs.models import Job

        acts = Job.objects.filter(server=self.server, params__list=self.list.pk)
        return acts.exclude(kind="keys.list").order_by("-pk").first()

    @property
    def foot(self) -> str:
        """What stands beside the button: whether it can be taken back."""
        if self.action.keeps:
            if self.cannot_keep:
                return "Once deleted, they cannot come back."
            return f"Undo stays open for {numbers.duration(settings.UNDO_SECONDS)}."
        if self.action.do in ("rename", "copy"):
            return "What is replaced is kept for undo."
        return "The job lists each key that it could not do."

    # --- Addresses -----------------------------------------------------------------------

    def _url(self, name: str) -> str:
        return reverse(f"keys:{name}", args=[self.server.slug, self.list.pk])

    @property
    def url(self) -> str:
        return f"{self._url('bulk_list')}?do={self.action.do}"

    @property
    def again_url(self) -> str:
        return self._url("bulk_again")

    @property
    def stop_url(self) -> str:
        return self._url("bulk_stop")

    @property
    def leave_out_url(self) -> str:
        return self._url("bulk_leave_out")

    @property
    def names_url(self) -> str:
        return f"{self._url('bulk_names')}?do={self.action.do}"

    @property
    def choose_url(self) -> str:
        return f"{reverse('keys:bulk', args=[self.server.slug])}?do={self.action.do}"

    @property
    def export_url(self) -> str:
        """Where this list is exported; "" while there is no such page."""
        try:
            path = reverse("keys:export", args=[self.server.slug])
        except NoReverseMatch:
            return ""
        return f"{path}?list={self.list.pk}"

    @property
    def job_url(self) -> str:
        return reverse("jobs:show", args=[self.server.slug, self.list.job_id or 0])
