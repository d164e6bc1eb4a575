"""What one server may take of SQL: so many services, and so many changes a day.

Whoever may write to a Redis may name services and register instances without end. What is left
out is counted, stands in the timeline as a gap, and is said on the journal; listeners hear of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from dashboard.servers.models import Server
from dashboard.services.history.models import Change, Collecting, Followed

MOST_FOLLOWED = 20_000
"""Services of one server whose history is kept, those that are gone included."""
A_DAY = 100_000
"""Changes of one server that are kept of one day (UTC) ..."""
A_DAY_OF_NEW = 50_000
"""... and how many of them services may take that were not known before that day."""
IN_QUERY = 500

One = TypeVar("One")


def chunks(found: Sequence[One], size: int = IN_QUERY) -> Iterator[Sequence[One]]:
    """Parts of it, for statements that take so many values."""
    for at in range(0, len(found), size):
        yield found[at : at + size]


def make_room(
    book: Collecting, followed: Iterable[Followed], listed: Collection[str], wanted: int
) -> tuple[int, list[str]]:
    """How many more services may be followed, and who was forgotten for them.

    Of those that are not listed any more, who was there for the shortest time goes first: names
    that come and go push out each other, and not the history of what people run. Their changes go
    with them. Call it in the transaction that adds the new ones.
    """
    rows = Followed.objects.filter(server=book.server_id)
    room = MOST_FOLLOWED - rows.count()
    if room >= wanted:
        return wanted, []
    gone = [one for one in followed if one.service not in listed]
    gone.sort(key=lambda one: (_lifetime(one), one.service))
    names = [one.service for one in gone[: wanted - room]]
    for part in chunks(names):
        Change.objects.filter(server=book.server_id, service__in=part).delete()
        rows.filter(service__in=part).delete()
    book.forgotten += len(names)
    return min(wanted, max(room, 0) + len(names)), names


def _lifetime(one: Followed) -> datetime.timedelta:
    if one.known_from is None or one.last_at is None:
        return datetime.timedelta()
    return max(one.last_at - one.known_from, datetime.timedelta())


class Day:
    """What is left of today for one server; ``book`` keeps the count."""

    def __init__(self, book: Collecting, now: datetime.datetime) -> None:
        self.book, self.begin = book, now.replace(hour=0, minute=0, second=0, microsecond=0)
        if book.day != now.date():
            book.day, book.day_rows, book.left_out = now.date(), 0, 0

    def takes(self, one: Followed, count: int) -> bool:
        """Whether so many changes of this service are kept; they are counted either way."""
        is_new = one.known_from is None or one.known_from >= self.begin
        if self.book.day_rows + count <= (A_DAY_OF_NEW if is_new else A_DAY):
            self.book.day_rows += count
            return True
        self.book.left_out += count
        return False


def told(server: Server, now: datetime.datetime) -> list[str]:
    """What is left out of this server's history, a sentence each; none as a rule. One query."""
    book, said = Collecting.objects.filter(server=server).first(), []
    if book is not None and book.left_out and book.day == now.date():
        said.append(
            f"{_many(book.left_out, 'change')} left out today: a day takes {A_DAY:,}, "
            f"and {A_DAY_OF_NEW:,} of services that came today. They stand as gaps."
        )
    if book is not None and book.beyond:
        said.append(
            f"{_many(book.beyond, 'other service')} not followed: {MOST_FOLLOWED:,} are, those "
            "that are gone included."
        )
    if book is not None and book.forgotten:
        said.append(
            f"{_many(book.forgotten, 'service')} forgotten with all changes: gone, after the "
            "shortest time, when others needed the room."
        )
    return said


def _many(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"
