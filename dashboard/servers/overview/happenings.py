"""What happened to a server: what the sampler noticed, and what people changed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import redis
from django.conf import settings

from dashboard.audit import actions
from dashboard.audit.models import Entry
from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.servers.sampling.samples import Snapshot
from redisops import keys
from redisops.errors import RedisopsError
from redisops.info import Inspector, SlowCommand
from redisops.resilience import deadline, diagnose

SHOWN = 8
SECONDS = 0.7
COMMAND_LENGTH = 160
AMONG = 128  # the newest entries of the slow log
MARKS = {"lost": "lost", "back": "back", "restart": "restart", "role": "role"}


@dataclass(frozen=True)
class Happening:
    """One thing that happened; ``mark`` is the word beside its line in the plots."""

    at: float
    text: str
    actor: str = ""
    mark: str = ""

    @property
    def moment(self) -> datetime.datetime:
        return moment(self.at)


@dataclass(frozen=True)
class Slowest:
    """The slow log's worst, or why it cannot be read."""

    commands: list[tuple[SlowCommand, str]]
    missing: str = ""


def of(server: Server, snapshot: Snapshot, since: float) -> list[Happening]:
    """Newest first. One query, nothing of Redis."""
    noticed = [
        Happening(event["at"], event["text"], mark=MARKS.get(event["kind"], ""))
        for event in snapshot.events
        if event["at"] >= since
    ]
    entries = Entry.objects.filter(server=server.slug, at__gte=moment(since), result="ok")
    changed = [
        Happening(
            entry.at.timestamp(),
            entry.sentence,
            entry.actor,
            actions.mark(entry.action),
        )
        for entry in entries[:SHOWN]
    ]
    return sorted([*noticed, *changed], key=lambda one: -one.at)[:SHOWN]


def slowest(server: Server, snapshot: Snapshot) -> Slowest:
    """The slow log's worst commands; one command to the server, none while it does not answer.

    The console's own are left out: here people look for theirs.
    """
    if server.is_stopped:
        return Slowest([], "Console work is stopped, so it is not asked.")
    if snapshot.failing is not None:
        return Slowest([], "It does not answer.")
    if snapshot.at is None:
        return Slowest([], "Not looked at yet.")
    try:
        with deadline(SECONDS):
            found = [
                one
                for node in server.client().primaries()
                for one in Inspector(node).slowest(AMONG, among=AMONG)
            ]
    except redis.exceptions.NoPermissionError:
        return Slowest([], "The console's user there may not read it: it needs +slowlog|get.")
    except (redis.RedisError, RedisopsError) as error:
        return Slowest([], diagnose(error).sentence)
    others = [one for one in found if not one.name.startswith(clients.NAME)]
    if found and not others:
        return Slowest([], "Only the console's own commands are in the slow log.")
    found = sorted(others, key=lambda one: -one.duration)
    return Slowest([(one, _shown(one.command)) for one in found[:5]])


def _shown(command: bytes) -> str:
    """A command as text; of the console's own no more than which one it is."""
    if settings.HOME_PREFIX.encode() in command:
        return f"{keys.printable(command.split(b' ', 1)[0])} …, the console's own"
    text = keys.printable(command[:COMMAND_LENGTH])
    return f"{text}…" if len(command) > COMMAND_LENGTH else text


def moment(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)
