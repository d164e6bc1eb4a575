"""Sealing what the recycle bin keeps with the newest encryption key."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.servers import secrets
from dashboard.servers.secrets import SecretUnreadable
from dashboard.undo.models import Chunk, place

BATCH = 200  # chunks that are looked at in one query; each is written by itself


def reseal() -> Iterator[str]:
    """Renew every chunk that an older key sealed: "" for each, or why it cannot be opened.

    One chunk (about 1 MiB, or one larger value) is in memory at a time, and each is written by
    one UPDATE, so it may be stopped and started again at any point.
    """
    after = 0
    while True:
        rows = list(
            Chunk.objects.filter(pk__gt=after).order_by("pk")
            .values_list("pk", "facts", "removal_id", "token")[:BATCH]
        )  # fmt: skip
        for pk, facts, removal, token in rows:
            after = pk
            if not secrets.is_current_bytes(bytes(facts)):
                why = _renew(pk, bytes(facts), place(removal, token))
                yield f"recycle bin, chunk {pk}: {why}" if why else ""
        if len(rows) < BATCH:
            return


def _renew(pk: int, facts: bytes, where: str) -> str:
    body = Chunk.objects.filter(pk=pk).values_list("body", flat=True).first()
    if body is None:
        return ""  # it has left the bin meanwhile
    try:
        anew = {
            name: secrets.seal_bytes(secrets.unseal_bytes(sealed, context), context)
            for name, sealed, context in (
                ("facts", facts, f"{where}:facts"),
                ("body", bytes(body), f"{where}:values"),
            )
        }
    except SecretUnreadable as error:
        return f"{error}"
    Chunk.objects.filter(pk=pk).update(**anew)
    return ""
