"""Sealing the files of exports and imports with the newest encryption key."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.keys.transfer import keeping, vault
from dashboard.keys.transfer.models import Archive
from dashboard.servers.secrets import SecretUnreadable

UNDER_WAY = "it is still being written: run this again when its job is done"


def reseal() -> Iterator[str]:
    """Renew every file that an older key sealed: "" for each, or why it was not.

    A file is written anew beside itself, a frame (1 MiB) in memory at a time, and then takes its
    place: stopped in between, the old one stands. An export under way is named and left alone.
    """
    for archive in Archive.objects.order_by("pk").iterator():
        try:
            if vault.is_current(archive):
                continue
            why = _renew(archive)
        except (vault.FileLost, SecretUnreadable) as error:
            if not Archive.objects.filter(pk=archive.pk).exists():
                continue  # it was removed meanwhile
            why = f"{error}"
        yield f"{archive.use} {archive.pk} ({archive.name}): {why}" if why else ""


def _renew(archive: Archive) -> str:
    """Write the file anew; "" or why not. An import's job only reads, so it may be under way."""
    if _is_being_written(archive):
        return UNDER_WAY
    path = archive.path
    beside = path.with_name(f"{path.stem}-new{path.suffix}")  # a stray, if nobody comes back to it
    size = path.stat().st_size
    try:
        vault.rewrite(archive, beside)
        # A job that was resumed meanwhile writes to the old file.
        if _is_being_written(archive) or path.stat().st_size != size:
            return UNDER_WAY
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return ""


def _is_being_written(archive: Archive) -> bool:
    now = Archive.objects.filter(pk=archive.pk).first()
    if now is None:
        raise vault.FileLost(f"{archive.path.name} was removed")
    return bool(
        now.use == Archive.Use.EXPORT and now.state == Archive.State.OPEN and keeping.in_use(now)
    )
