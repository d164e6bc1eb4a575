"""What beat does for declared boards: keep their top now and then, end seasons that are due."""

from __future__ import annotations

import datetime

import structlog
from django.utils import timezone
from redis.exceptions import RedisError

from dashboard.audit import AuditUnavailable
from dashboard.leaderboards.boards import places
from dashboard.leaderboards.boards.models import Board, Import
from dashboard.leaderboards.boards.places import Place
from dashboard.leaderboards.seasons import ending, times
from dashboard.leaderboards.seasons.models import Moment
from dashboard.servers.secrets import SecretUnreadable
from dashboard.undo import CannotKeep
from redisops.errors import RedisopsError, UnknownResult
from redisops.resilience import deadline, diagnose

log = structlog.get_logger(__name__)

BETWEEN = datetime.timedelta(minutes=10)
AGAIN = datetime.timedelta(minutes=1)
KEPT = 1_008
"""Moments of a board: a week of them."""
AT_ONCE = 50
SECONDS = 2.5
UPLOADS = datetime.timedelta(days=1)
TROUBLE = (RedisError, RedisopsError, SecretUnreadable, OSError)
BY = "the schedule"


def look() -> int:
    """Do what is due for up to 50 boards; how many that were. Two that run at once share them."""
    now = timezone.now()
    Import.objects.filter(created__lt=now - UPLOADS).delete()
    due = Board.objects.filter(next_look__lte=now).select_related("server")
    done = 0
    for board in due.order_by("next_look")[:AT_ONCE]:
        mine = Board.objects.filter(pk=board.pk, next_look=board.next_look)
        if mine.update(next_look=now + BETWEEN):
            _do(board, now)
            done += 1
    return done


def _do(board: Board, now: datetime.datetime) -> None:
    place = places.of_name(board.server, board.name)
    trouble = ""
    ending.note_undone(board)
    try:
        with deadline(SECONDS):
            keep_top(place, board)
        if board.next_end is not None and board.next_end <= now:
            # Moved on first: what may have happened once must not happen again.
            later = times.next_end(board.every, now)
            mine = Board.objects.filter(pk=board.pk, next_end=board.next_end)
            if mine.update(next_end=later):
                _end(place, board)
    except (*TROUBLE, CannotKeep, AuditUnavailable) as error:
        trouble = diagnose(error).sentence if isinstance(error, TROUBLE) else str(error)
        log.info("a leaderboard was not looked at", board=board.pk, error=repr(error))
    next_look = now + (AGAIN if trouble else BETWEEN)
    if board.next_end is not None and not trouble:
        later = times.next_end(board.every, now) or next_look
        next_look = min(next_look, later)
    Board.objects.filter(pk=board.pk).update(next_look=next_look, trouble=trouble[:300])


def _end(place: Place, board: Board) -> None:
    """End the season; when nothing was sent it is tried again a minute later."""
    try:
        with deadline(SECONDS):
            ending.end(BY, place, board, "The season is over")
    except UnknownResult:
        raise
    except (*TROUBLE, CannotKeep, AuditUnavailable):
        Board.objects.filter(pk=board.pk).update(next_end=board.next_end)
        raise


def keep_top(place: Place, board: Board) -> Moment | None:
    """Keep the top of now, unless nobody is on the board; the oldest moments go."""
    found = place.library().look(0, board.top)
    if not found.size:
        return None
    moment = Moment.objects.create(
        board=board, window=place.label, members=found.size,
        top=ending.as_json(list(found.standings)),
    )  # fmt: skip
    over = board.moments.order_by("-at").values_list("pk", flat=True)[KEPT : KEPT + 200]
    Moment.objects.filter(pk__in=list(over)).delete()
    return moment
