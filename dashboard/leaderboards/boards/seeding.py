"""Declarations that the console brings along, written once and then people's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from dashboard.audit import record
from dashboard.audit.models import Entry
from dashboard.leaderboards.boards.declaring import told_of
from dashboard.leaderboards.boards.models import Board
from dashboard.servers.models import Server

CREATED = "leaderboards.create"


def seed(server: Server, new: Iterable[Mapping[str, Any]], who: str) -> list[str]:
    """Declare the boards (fields of Board) whose names ``who`` never declared; returns those names.

    What people changed or took back stays so. Two processes at once are safe.
    """
    before = Entry.objects.filter(server=server.slug, action=CREATED, actor=who)
    known = {*before.values_list("target", flat=True)}
    added = []
    for told in new:
        if told["name"] in known:
            continue
        board = Board(server=server, next_look=timezone.now(), **told)
        try:
            with transaction.atomic():
                board.save()
                record(who, CREATED, server=server.slug, target=board.name, after=told_of(board))
        except IntegrityError:  # somebody declared one of that name, or another process did
            continue
        added.append(board.name)
    return added
