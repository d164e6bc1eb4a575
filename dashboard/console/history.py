"""The last lines of one person on one server."""

from __future__ import annotations

import itertools

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from dashboard.accounts.models import User
from dashboard.console.models import KEPT, LONGEST, Line
from dashboard.servers.models import Server


class AlreadySent(Exception):
    """This submission was taken before: running it again would do it twice."""


def of(user: User, server: Server, query: str = "") -> QuerySet[Line]:
    """Newest first; ``query`` is a part of the line."""
    lines = Line.objects.filter(user=user, server=server)
    query = query.replace("\0", "")  # which PostgreSQL refuses to look for, and no line holds
    return lines.filter(text__icontains=query) if query else lines


def shown(user: User, server: Server, query: str = "", most: int = KEPT) -> list[Line]:
    """Newest first, a line that was repeated at once only once."""
    groups = itertools.groupby(of(user, server, query), key=lambda line: line.text)
    return [next(same) for _, same in itertools.islice(groups, most)]


def keep(user: User, server: Server, texts: list[str], token: str) -> None:
    """Keep the lines of one submission and forget those beyond the last 200.

    Raises AlreadySent, and keeps nothing, when ``token`` was used before.
    """
    rows = [
        Line(user=user, server=server, text=text[:LONGEST], token=None if place else token)
        for place, text in enumerate(texts)
    ]
    try:
        with transaction.atomic():
            Line.objects.bulk_create(rows)
    except IntegrityError as error:
        if not Line.objects.filter(token=token).exists():
            raise
        raise AlreadySent from error
    beyond = of(user, server).values_list("pk", flat=True)[KEPT : KEPT + 1].first()
    if beyond is not None:
        of(user, server).filter(pk__lte=beyond).delete()


def forget(user: User, server: Server) -> None:
    """Remove all of them."""
    of(user, server).delete()
