"""Files come and go: an upload is sealed, what is over is removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from dashboard.jobs.models import Job
from dashboard.keys.transfer import vault
from dashboard.keys.transfer.models import Archive, room
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.archives import format_of


class NoRoom(Exception):
    """The files in the data directory would take more than ``EXPORT_BYTES``; a sentence."""

    def __init__(self, size: int, free: int) -> None:
        super().__init__(
            f"This takes {numbers.size(size)}, and the console has room for "
            f"{numbers.size(free)} of exports and uploads (EXPORT_BYTES). Remove some first."
        )


def upload(request: HttpRequest, server: Server, file: Any) -> Archive:
    """Keep an uploaded file, sealed. Raises NoRoom, and Damaged for a file of another kind."""
    format = format_of(file.read(64))
    file.seek(0)
    archive = Archive(
        server=server, person_id=request.user.pk, by_name=request.user.get_username(),
        use=Archive.Use.IMPORT, format=format, name=_called(file.name),
    )  # fmt: skip
    if file.size > (free := room()):
        raise NoRoom(file.size, free)
    try:
        with vault.Writer(archive, 0, 0) as writer:
            for chunk in file.chunks(vault.FRAME):
                writer.write(chunk)
        archive.size, archive.stored, archive.frames = writer.size, writer.stored, writer.frames
        archive.save()
    except BaseException:
        archive.path.unlink(missing_ok=True)
        raise
    return archive


def remove_old() -> int:
    """Remove what is over (not while a job reads or writes it), and stray files."""
    gone = 0
    for archive in Archive.objects.filter(until__lte=timezone.now()):
        if not in_use(archive):
            archive.forget()
            gone += 1
    known = {token.hex for token in Archive.objects.values_list("token", flat=True)}
    for path in vault.strays(known):
        path.unlink(missing_ok=True)
        gone += 1
    return gone


def in_use(archive: Archive) -> bool:
    """Whether a job that is not done works with it."""
    jobs = Job.objects.filter(server=archive.server_id, state__in=Job.UNFINISHED)
    return bool(jobs.filter(params__archive=archive.pk).exists())


def jobs_shown(ended: Sequence[Job]) -> set[int]:
    """Which of these jobs wrote or read a file that is still there: its page names them."""
    files = {job.pk: job.params.get("archive") for job in ended}
    kept = Archive.objects.filter(pk__in={*files.values()} - {None}, until__gt=timezone.now())
    there = set(kept.values_list("pk", flat=True))
    return {pk for pk, file in files.items() if file in there}


def opened_by(request: HttpRequest, server: Server, use: str, pk: int) -> Archive | None:
    """The file, for whoever made it and for admins of its server; None for everybody else."""
    found: Archive | None = visible(request, server, use).filter(pk=pk).first()
    return found


def visible(request: HttpRequest, server: Server, use: str) -> Any:
    """The files of a server that this person may open, newest first."""
    from dashboard.accounts.roles import Role
    from dashboard.servers import access

    found = Archive.objects.filter(server=server, use=use, until__gt=timezone.now())
    role = server.role or access.role_on(request.user, server)
    if role is None or not role.allows(Role.ADMIN):
        found = found.filter(person=request.user.pk)
    return found.select_related("server")


def of(pk: int) -> Archive:
    """The row that a job works with; raises ``Archive.DoesNotExist`` when it is gone."""
    return Archive.objects.select_related("server").get(pk=pk)


def keep_written(archive: Archive, **values: Any) -> Any:
    """SQL for ``work.also``."""

    def write() -> None:
        with transaction.atomic():
            Archive.objects.filter(pk=archive.pk).update(**values)

    return write


def _called(name: str | None) -> str:
    """A file's name without its folders and without what no text holds."""
    plain = PurePath((name or "").replace("\\", "/")).name.replace("\x00", "")
    return plain.encode("utf-8", "replace").decode()[:200] or "upload"
