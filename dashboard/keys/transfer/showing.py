"""An uploaded file as its dry run shows it: ``Archive.facts`` in the words of the page."""

from __future__ import annotations

import datetime
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from dashboard.jobs.models import Job
from dashboard.keys.bulk.counted import shares
from dashboard.keys.transfer.models import Archive
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.keys import from_url, printable, to_url


class Upload:
    """A file that was uploaded to ``server``, and the jobs on it."""

    def __init__(self, server: Server, archive: Archive) -> None:
        self.server = server
        self.archive = archive
        looking = archive.state == Archive.State.OPEN
        if looking and self.job is not None and not self.job.is_unfinished:
            # It came to its end between the two queries: what it left is there now.
            archive.refresh_from_db(fields=["state", "facts", "keys", "problem"])
        self.facts: dict[str, Any] = archive.facts or {}

    @cached_property
    def job(self) -> Job | None:
        """The look through the file."""
        return Job.objects.filter(pk=self.archive.job_id or 0).select_related("server").first()

    @cached_property
    def newest(self) -> Job | None:
        """The last import of it: a form shown before that one began starts no second."""
        return self._imports.order_by("-pk").first()

    @property
    def _imports(self) -> QuerySet[Job]:
        return Job.objects.filter(
            server=self.server, kind="keys.import", params__archive=self.archive.pk
        ).select_related("server")

    # --- Where it stands --------------------------------------------------------------------

    @property
    def is_refused(self) -> bool:
        return self.archive.state == Archive.State.REFUSED

    @property
    def is_ready(self) -> bool:
        return self.archive.is_ready

    @property
    def is_looking(self) -> bool:
        waits = self.archive.state == Archive.State.OPEN
        return waits and self.job is not None and self.job.is_unfinished

    @property
    def share(self) -> float | None:
        """How much of the file was looked through."""
        if self.job is None or not self.archive.size:
            return None
        return min(self.job.bytes / self.archive.size, 1.0)

    @property
    def verdict(self) -> str:
        if self.is_looking:
            return f"The file is being looked through. Nothing on {self.server.name} is changed."
        if self.is_refused:
            return "This file was refused. Nothing was imported."
        if not self.is_ready:
            return "The look through the file did not come to its end. Nothing was imported."
        return "Dry run: nothing has been imported yet."

    @property
    def waits(self) -> str:
        return (self.job.waits or self.job.slowed) if self.job is not None else ""

    # --- Figures ------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        return self.archive.keys

    @property
    def button(self) -> str:
        return f"Import {numbers.exact(self.count)} key{'' if self.count == 1 else 's'}"

    @property
    def origin(self) -> str:
        made = self.facts.get("made")
        when = ""
        if isinstance(made, int) and 0 < made < 4_102_444_800_000:
            at = datetime.datetime.fromtimestamp(made / 1000, datetime.UTC)
            when = f", written {at:%Y-%m-%d %H:%M} UTC"
        return f"from {self.facts.get('server') or 'a server that is not told'}{when}"

    @property
    def types(self) -> list[tuple[str, int, float]]:
        return shares(self.facts.get("types") or {}, {})

    @property
    def names(self) -> list[bytes]:
        """Some of the names, those with bytes that no text shows first."""
        told = dict.fromkeys([*self.facts.get("odd", [])[:3], *self.facts.get("names", [])])
        return [from_url(name) for name in told][:8]

    @property
    def taken_names(self) -> list[bytes]:
        return [from_url(name) for name in self.facts.get("taken_names", [])[:5]]

    @property
    def largest(self) -> tuple[bytes, int] | None:
        told = self.facts.get("largest")
        return (from_url(told[0]), told[1]) if told else None

    @property
    def rename(self) -> tuple[str, str] | None:
        """The prefixes that names were looked up with."""
        old, new = (from_url(self.facts.get(n) or to_url(b"")) for n in ("old", "new"))
        return (printable(old), printable(new)) if old != new else None

    @property
    def taken_words(self) -> str:
        if self.facts.get("unknown"):
            return "the right to ask for some names is missing"
        return f"of {numbers.exact(self.count)}, as it was when the file was looked through"

    @property
    def initial(self) -> dict[str, Any]:
        old, new = self.rename or ("", "")
        limit = 10_000 if self.server.is_production else 50_000
        return {"limit": limit, "old": old, "new": new, "conflict": "skip"}
