"""The document that should be published: its version only grows, its text is kept in SQL."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from dashboard.publishing.kinds import Kind
from dashboard.servers.models import Server
from redisops.documents import LAST_VERSION, DocumentError
from redisops.errors import InvalidArgument


def of(kind: Kind, server: Server) -> Any:
    """The server's row, an unsaved one before the first policy."""
    row = kind.table._default_manager.filter(server=server).first()
    return row or kind.table(server=server)


def want(kind: Kind, server: Server, above: int = 0) -> Any:
    """Write down the document of the server's policies as the next version, greater than ``above``.

    In the transaction of the change that it is for. Raises InvalidArgument when it cannot be
    published: too many policies, too many bytes, no version left above that one.
    """
    if above >= LAST_VERSION:
        raise InvalidArgument(
            "Redis has the last version that there can be, which no console writes: remove the key "
            f"{kind.library.key.decode()} there"
        )
    rows = kind.table._default_manager
    with transaction.atomic():
        rows.get_or_create(server=server)
        row = rows.select_for_update(of=("self",)).get(server=server)
        row.version = max(row.version, above) + 1
        row.text = kind.document(server, row.version).dumps().decode()
        row.wanted_at, row.failures = timezone.now(), 0
        row.save(update_fields=["version", "text", "wanted_at", "failures"])
    return row


def wanted(kind: Kind, row: Any) -> Any | None:
    """The document as it was written down; None when this version of the library cannot read it."""
    try:
        return kind.library.kind.loads(row.text.encode())
    except DocumentError:
        return None
