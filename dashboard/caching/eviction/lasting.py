"""Whether what is set now outlives a restart. Redis does not say; what was done here does."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.utils import timezone

from dashboard.caching.eviction import settings
from dashboard.caching.eviction.models import EvictionChange
from dashboard.servers.models import Server
from redisops.eviction import Standing

SAME = "the same"


@dataclass(frozen=True)
class Lasting:
    """``state`` is a shape, ``word`` for the figures, ``sentence`` what a restart would do.

    ``may_write``: CONFIG REWRITE would make a difference, as far as is known.
    """

    state: str
    word: str
    sentence: str
    may_write: bool = False

    @property
    def is_same(self) -> bool:
        """Whether a restart goes back to what is set now."""
        return self.word == SAME


def of(server: Server, standing: Standing) -> Lasting:
    """Two queries at most; the server is not asked."""
    files = [shard.config_file for shard in standing.shards]
    if all(one is None for one in files):
        return Lasting("off", "not known", "The server does not say whether it has a "
                       "configuration file.")  # fmt: skip
    since = _started(standing)
    done = EvictionChange.objects.filter(server=server, result=EvictionChange.Result.DONE)
    rows = list(done.filter(at__gt=since).order_by("at")) if since else list(done.order_by("at"))
    now = settings.present(standing)
    if not all(files) and not rows:
        return Lasting("off", "not known", "It runs without a configuration file, and nothing was "
                       "changed from here since it started: after a restart its command line "
                       "holds. Whether that says what is set now, nobody can tell.")  # fmt: skip
    back = _goes_to(rows)
    is_known = back and not standing.settings.differing and not _is_in_doubt(server, since)
    if is_known and all(now.get(name) == value for name, value in back.items()):
        return Lasting("ok", SAME, f"A restart goes back to {_spoken(back)}, which is what "
                       "is set now.")  # fmt: skip
    if not all(files):
        where = "It runs" if len(files) == 1 else "At least one primary runs"
        return Lasting("warn", "forgotten", f"{where} without a configuration file: a restart "
                       f"forgets what is set, {_goes_back(rows)}.")  # fmt: skip
    if not rows:
        return Lasting("off", "not known", "Nothing was changed from here since it started. "
                       "Whether somebody else did, and wrote it, nobody can tell.",
                       may_write=True)  # fmt: skip
    last = rows[-1]
    if any(now.get(name) != value for name, value in last.after.items()):
        return Lasting("warn", "not known", "Somebody else has changed it since it was changed "
                       "here. Whether that is in the configuration file nobody can tell.",
                       may_write=True)  # fmt: skip
    if last.kept == EvictionChange.Kept.WRITTEN:
        return Lasting("ok", "kept", "It is in the configuration file: a restart keeps it.")
    why = {
        "refused": " This user may not run CONFIG REWRITE.",
        "failed": " The file could not be written.",
    }.get(last.kept, "")
    return Lasting("warn", "forgotten", "It is not in the configuration file: a restart forgets "
                   f"it, {_goes_back(rows)}.{why}", may_write=True)  # fmt: skip


def _started(standing: Standing) -> datetime.datetime | None:
    if standing.uptime is None:
        return None
    return timezone.now() - datetime.timedelta(seconds=standing.uptime + 1)


def _goes_back(rows: list[EvictionChange]) -> str:
    back = _goes_to(rows)
    if not back:
        return "and begins with what its file or command line says"
    return f"and goes back to {_spoken(back)}"


def _goes_to(rows: list[EvictionChange]) -> dict[str, str]:
    """To what: each setting as it was before the first change of it that is in no file."""
    at = max((n + 1 for n, row in enumerate(rows) if row.kept == "written"), default=0)
    back: dict[str, str] = {}
    for row in rows[at:]:
        back = {name: value for name, value in row.before.items() if value} | back
    return {name: back[name] for name in settings.LABELS if name in back}


def _spoken(back: dict[str, str]) -> str:
    return " and ".join(
        f"{settings.LABELS[name].lower()} {settings.spoken(name, value)}"
        for name, value in back.items()
    )


def _is_in_doubt(server: Server, since: datetime.datetime | None) -> bool:
    """Whether a change was sent whose result is unknown: before it may have been something else."""
    lost = EvictionChange.objects.filter(server=server, result=EvictionChange.Result.UNKNOWN)
    return (lost.filter(at__gt=since) if since else lost).exists()
