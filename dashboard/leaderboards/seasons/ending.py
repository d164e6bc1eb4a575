"""Ending a season: the board goes under another name in one moment, its top into SQL."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest
from django.utils import timezone

from dashboard import undo
from dashboard.audit import recording
from dashboard.leaderboards.boards import showing
from dashboard.leaderboards.boards.models import Board
from dashboard.leaderboards.boards.places import Place
from dashboard.leaderboards.seasons.models import Season, Top
from dashboard.ui import numbers
from dashboard.undo import marks
from dashboard.undo.models import Chunk
from redisops import keys
from redisops.edits import BoardBack
from redisops.errors import UnknownResult
from redisops.keyspace import Keyspace
from redisops.leaderboards import Standing

ACTION = "leaderboards.end"


@dataclass(frozen=True)
class Ended:
    """``season`` is None when there was nobody on the board; ``removal`` brings it back."""

    season: Season | None = None
    removal: Any = None


def archive_of(place: Place, label: str) -> bytes:
    """The name that the board gets: in its own slot of a cluster."""
    key = place.key
    if place.is_kept:
        return place.library().keys.archive(label)
    if keys.hash_tag(key) is None and place.server.endpoint.topology == "cluster":
        key = b"{" + key + b"}"
    return key + b":season:" + label.encode()


def kept_for() -> str:
    """How long the end of a season can be taken back, in words."""
    return numbers.duration(settings.UNDO_SECONDS)


def since_of(archive: bytes) -> bytes:
    """Where undo puts what was scored after the season that went to ``archive``."""
    return archive + b"-since"


def label_at(now: datetime.datetime) -> str:
    return f"{now:%Y-%m-%dT%H%M%S}"


def end(who: HttpRequest | str, place: Place, board: Board, reason: str = "") -> Ended:
    """Rename the board away in one command, keep its top; audited. Undo renames it back; what was
    scored by then goes to ``since_of`` the archive.

    Raises InvalidArgument when the archive's name is taken, UnknownResult, a server's trouble.
    """
    now = timezone.now()
    label = label_at(now)
    library = place.library()
    archive = archive_of(place, label)
    size = library.count()
    if not size:
        return Ended()
    [row] = Keyspace(place.server.client()).describe([place.key])
    lives = row.ttl if row else None
    expires = None if lives is None else int((now.timestamp() + lives) * 1000)
    back = BoardBack(archive, place.key, since_of(archive), place.is_kept, expires)
    removal = undo.begin(who, place.server, action=ACTION, why=reason, what=board.name)
    kept = removal.keep_edit(place.key, back.to_dict())
    target = f"{board.name}: {keys.printable(place.key)[:200]}"
    try:
        with recording(who, ACTION, server=place.server.slug, target=target, reason=reason,
                       before={"members": size}) as entry:  # fmt: skip
            found = library.reset(label if place.is_kept else archive, board.top)
            kept_at = found.key or b""
            entry.after = {
                "members": found.size, "archive": keys.printable(kept_at),
                "first": showing.short(found.top[0].member) if found.top else None,
            }  # fmt: skip
    except UnknownResult:
        raise  # what is kept stays on offer: it may have happened
    except BaseException:
        removal.settle(kept, ["refused"])
        raise
    if not found.size:
        removal.settle(kept, ["refused"])
        return Ended()
    last = board.seasons.aggregate(last=Max("number"))["last"] or 0
    before = board.seasons.first()
    season = Season.objects.create(
        board=board, number=last + 1, archive=kept_at, window=place.label, ended=now,
        started=before.ended if before else None, members=found.size, top=as_json(found.top),
        by=_name(who), reason=reason[:500], removal=removal.pk,
    )  # fmt: skip
    return Ended(season, removal)


def note_undone(board: Board) -> None:
    """Write down which seasons of a board were taken back: the recycle bin forgets it in a day."""
    asked = board.seasons.filter(is_undone=False, removal__isnull=False)
    chunks = Chunk.objects.filter(removal_id__in=asked.values("removal"), is_edit=True)
    back = [of for of, told in chunks.values_list("removal_id", "marks") if told[0] == marks.BACK]
    if back:
        board.seasons.filter(removal__in=back).update(is_undone=True)


def as_json(top: tuple[Standing, ...] | list[Standing]) -> Top:
    return [[showing.member_id(one.member), showing.raw(one.score), one.rank,
             showing.short(one.member)] for one in top]  # fmt: skip


def _name(who: HttpRequest | str) -> str:
    return who if isinstance(who, str) else who.user.get_username()
