"""Write the keys of a list to a file: the job, and how it begins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from dashboard.jobs import starting
from dashboard.jobs.kinds import Kind
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.bulk.starting import Refused, _scope, check_limit
from dashboard.keys.bulk.timing import Clock, paced
from dashboard.keys.transfer import keeping, vault
from dashboard.keys.transfer.models import Archive, room
from dashboard.ui import numbers
from redisops.archives import (
    DUMP,
    Dropped,
    DumpWriter,
    Large,
    LinesWriter,
    Part,
    Reading,
    Unfit,
)
from redisops.dumps import TooBig
from redisops.errors import RedisopsError
from redisops.keys import from_url, to_url

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

MOST = 1_000  # keys asked for at once
EACH = {DUMP: 5, "lines": 8}  # commands of a key at most, those inside scripts included


class Full(RedisopsError):
    """The file would grow over ``EXPORT_BYTES``; a whole sentence."""


def export(
    request: HttpRequest, key_list: KeyList, *, format: str, why: str = "",
    limit: float | None = None,
) -> Job:  # fmt: skip
    """Begin to write the list's keys to a file in this format; raises ``Refused``."""
    if not key_list.is_fresh:
        raise Refused("This count is older than 15 minutes, or not done. Count the keys again.")
    if key_list.acting <= 0:
        raise Refused("There is no key left to export.")
    check_limit(limit)
    if not room():
        raise Refused("The console has no room left for exports (EXPORT_BYTES). Remove some first.")
    key_list.touch()
    with transaction.atomic():
        archive = Archive.objects.create(
            server=key_list.server, person_id=request.user.pk, use=Archive.Use.EXPORT,
            by_name=request.user.get_username(), format=format,
            name=key_list.label[:300].replace("\x00", "\\x00"),
        )  # fmt: skip
        params = {
            "list": key_list.pk, "label": key_list.label, "total": key_list.total,
            "left_out": key_list.left_out, "archive": archive.pk, "format": format,
        }  # fmt: skip
        job = starting.start(
            request, key_list.server, "keys.export", params, scope=_scope(key_list),
            total=key_list.acting, reason=why, limit=limit,
        )  # fmt: skip
        Archive.objects.filter(pk=archive.pk).update(job_id=job.pk)
    return job


class ExportKeys(Kind):
    """Adds to a sealed file in bounded pages; the next step cuts off what was not committed."""

    name: ClassVar[str] = "keys.export"
    permission: ClassVar[str] = "keys.export"
    template: ClassVar[str] = "keys/transfer/_export.html"
    group: ClassVar[str] = ""
    done_word: ClassVar[str] = "exported"
    skipped_word: ClassVar[str] = "gone meanwhile"
    bytes_word: ClassVar[str] = "in the file"

    def title(self, job: Job) -> str:
        return f"Export {job.params['label']}"[:300]

    def notes(self, job: Job) -> list[tuple[str, str]]:
        return [
            ("Format", Archive.FORMATS[job.params["format"]]),
            ("Room", f"{numbers.size(settings.EXPORT_BYTES)} for all files (EXPORT_BYTES)"),
        ]

    def panel(self, job: Job) -> dict[str, Any]:
        found = Archive.objects.filter(pk=job.params["archive"]).select_related("server").first()
        exports_url = reverse("keys:export", args=[job.server.slug])
        return {"archive": found, "exports_url": exports_url}

    def step(self, work: Work) -> bool:
        archive = keeping.of(work.params["archive"])
        at = work.checkpoint
        writer = (DumpWriter if archive.format == DUMP else LinesWriter)(at.get("writer"))
        key_list = KeyList.objects.get(pk=work.params["list"])
        left_out = frozenset(from_url(key) for key in work.params["left_out"])
        clock = Clock()
        with vault.Writer(archive, at.get("stored", 0), at.get("frames", 0)) as file:
            if not at:
                file.write(writer.header(Reading(work.redis).server(), int(time.time() * 1000)))
            free = room(without=archive)
            while not (is_over := self._is_over(work)):
                file.write(self._some(work, writer, key_list, left_out))
                self._check(file, free)
                if clock.is_over:
                    break
            if is_over:
                file.write(writer.end())
            self._check(file, free)
        at.update(
            writer=writer.state, stored=file.stored, frames=file.frames,
            size=at.get("size", 0) + file.size,
        )  # fmt: skip
        work.count(bytes=file.size)
        values = {"stored": file.stored, "frames": file.frames, "size": at["size"]}
        work.also(keeping.keep_written(archive, keys=writer.state["keys"], **values))
        return is_over

    def finished(self, work: Work) -> None:
        archive = keeping.of(work.params["archive"])
        archive.state, archive.until = (
            Archive.State.READY,
            archive._meta.get_field("until").default(),
        )
        archive.save(update_fields=["state", "until"])

    def _some(
        self, work: Work, writer: Any, key_list: KeyList, left_out: frozenset[bytes]
    ) -> bytes:
        """The next keys, or the next part of a large one."""
        if work.checkpoint.get("large"):
            return self._page(work, writer)
        position = work.checkpoint.get("position", 0)
        each = EACH[work.params["format"]]
        most = max(1, min(MOST, work.pace.batch(MOST * each) // each))
        raw = key_list.keys(position, most)
        keys = [key for key in raw if key not in left_out and not work.server.protects(key)]
        found: list[Any] = []
        if keys:
            reading = Reading(work.redis)
            with paced(work, len(keys) * each):
                is_dump = work.params["format"] == DUMP
                found = reading.dumps(keys) if is_dump else reading.read(keys)
        if len(found) < len(keys):  # too large together: the rest is for the next time
            raw = raw[: raw.index(keys[len(found) - 1]) + 1]
        work.checkpoint["position"] = position + len(raw)
        return b"".join(
            [self._one(work, writer, k, one) for k, one in zip(keys, found, strict=False)]
        )

    def _one(self, work: Work, writer: Any, key: bytes, found: Any) -> bytes:
        if isinstance(found, Part):
            return self._part(work, writer, found)
        if isinstance(found, Large):
            work.checkpoint["large"] = [to_url(found.key), *found[1:]]
        elif found is None:
            work.count(skipped=1)
        elif isinstance(found, TooBig):
            work.fail(key, f"about {numbers.size(found.size)} are too large for one record")
        else:
            work.fail(key, found.why)
        return b""

    def _page(self, work: Work, writer: Any) -> bytes:
        key, *rest = work.checkpoint["large"]
        large = Large(from_url(key), *rest)
        with paced(work, 3):
            part, after = Reading(work.redis).page(large)
        work.checkpoint["large"] = [key, *after[1:]] if after else None
        if isinstance(part, Part):
            return self._part(work, writer, part)
        return self._dropped(work, writer, part, "it was changed while it was read")

    def _part(self, work: Work, writer: Any, part: Part) -> bytes:
        try:
            line: bytes = writer.part(part)
        except Unfit as error:
            work.checkpoint["large"] = None
            return self._dropped(work, writer, Dropped(part.key, part.number), f"{error}")
        work.count(done=part.is_last)
        return line

    @staticmethod
    def _dropped(work: Work, writer: Any, dropped: Dropped, why: str) -> bytes:
        work.fail(dropped.key, why)
        line: bytes = writer.dropped(dropped) if dropped.number > 1 else b""
        return line

    @staticmethod
    def _is_over(work: Work) -> bool:
        walked: bool = work.checkpoint.get("position", 0) >= work.params["total"]
        return walked and not work.checkpoint.get("large")

    @staticmethod
    def _check(file: vault.Writer, free: int) -> None:
        if file.stored > free:
            raise Full(
                f"The file is larger than the {numbers.size(free)} that are free for exports "
                "(EXPORT_BYTES). Remove old ones, or export fewer keys at once."
            )
