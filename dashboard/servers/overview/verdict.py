"""How a server is, in one word and one sentence that somebody woken at night can act on.

Everything is judged from the sampler's snapshot; what is not known is never taken for well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dashboard.servers.models import Server
from dashboard.servers.sampling.samples import Snapshot
from dashboard.ui import numbers

ALL, FULL, NEARLY = 0.99, 0.9, 0.8
LAG_SECONDS = 10
FRAGMENTED, WASTE = 1.5, 100 * 1024 * 1024
YOUNG = 600
NOT_REACHED = {"unreachable", "timeout", "deadline", "dns", "tls", "open_circuit"}
WORST_FIRST = ("unreachable", "bad", "changing", "warn", "unknown", "off", "ok")
KINDS = {"unreachable": "bad", "bad": "bad", "changing": "warn", "warn": "warn"}


@dataclass(frozen=True)
class Problem:
    """One thing that wants a person: ``title`` says it after the server's name, ``text`` explains.

    ``word`` and ``brief`` are what a narrow table says of it.
    """

    state: str
    word: str
    title: str
    text: str
    brief: str = ""
    effect: str = ""

    @property
    def kind(self) -> str:
        """``bad`` or ``warn``."""
        return KINDS[self.state]


@dataclass(frozen=True)
class Verdict:
    """``state`` is a shape (see the ``state`` tag); ``notes`` are worth knowing, no more."""

    state: str
    word: str
    brief: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def rank(self) -> int:
        """Worst first: the smaller, the worse."""
        return WORST_FIRST.index(self.state)

    @property
    def lead(self) -> str:
        """What belongs to the word: " since 01:31:07, 16 min 45 s" or ", up 41 d"."""
        if not self.brief:
            return "."
        joined = self.brief.partition(" ")[0] in ("since", "to", "of")
        return f"{' ' if joined else ', '}{self.brief}."

    @property
    def sentence(self) -> str:
        """What else there is to say, after the word and what belongs to it."""
        first = [self.problems[0].text] if self.problems else []
        others = [f"It also {one.title}." for one in self.problems[1:]]
        return " ".join([*first, *others, *self.notes])


def judge(server: Server, snapshot: Snapshot | None, now: float | None = None) -> Verdict:
    """The verdict on one server."""
    now = time.time() if now is None else now
    if server.is_stopped:
        return _stopped(server, now)
    if not server.watched and (snapshot is None or not snapshot.is_fresh(now)):
        return Verdict("off", "Not watched", "no samples are taken")
    if snapshot is None or (snapshot.at is None and snapshot.failing is None):
        if server.withdrawn is not None:
            return Verdict("unknown", "Not known", "it was never looked at")
        return Verdict("unknown", "Not known", "first look within 2 s")
    if not snapshot.is_fresh(now):
        text = f"last sample {clock(snapshot.slot, now)}"
        return Verdict("unknown", "Not known", text, notes=[f"The {text}: nothing is known since."])
    problems = sorted(_problems(snapshot, now), key=lambda one: WORST_FIRST.index(one.state))
    if problems:
        first = problems[0]
        return Verdict(first.state, first.word, first.brief, problems, list(_notes(snapshot, now)))
    up = f"up {numbers.duration(snapshot.uptime)}" if snapshot.uptime is not None else ""
    return Verdict("ok", "Healthy", up, notes=list(_notes(snapshot, now)))


def _stopped(server: Server, now: float) -> Verdict:
    """Nobody looks, so nothing is known of the server itself."""
    since = f"since {clock(server.stopped_at.timestamp(), now)}" if server.stopped_at else ""
    why = f": {server.stopped_why.rstrip('.')}" if server.stopped_why else ""
    text = f"{server.stopped_by} stopped all console work here{why}. Nothing is sent to it."
    return Verdict("off", "Work stopped", since, notes=[text])


def _problems(snapshot: Snapshot, now: float) -> Iterator[Problem]:
    if snapshot.failing is not None:
        yield _unanswered(snapshot, now)
        return
    if snapshot.loading is not None:
        percent = snapshot.loading.get("percent")
        done = f"{percent:.0f}% is read" if percent is not None else "it began just now"
        yield Problem("changing", "Loading", "is loading its data", f"From disk; {done}.", done)
    for shard in snapshot.shards:
        if shard["error"]:
            text = f"{shard['name']}: {shard['error'].rstrip('.')}."
            effect = "Keys of its slots can neither be read nor written."
            title = "has a shard that does not answer"
            yield Problem("bad", "Shard down", title, text, shard["name"], effect)
    yield from _memory(snapshot, now)
    yield from _persistence(snapshot)
    yield from _replication(snapshot)
    clients, limit = snapshot.figures.get("clients"), snapshot.maxclients
    if clients and limit and clients >= NEARLY * limit:
        share, text = f"{clients / limit:.0%}", f"At {numbers.exact(limit)} it refuses new ones."
        yield Problem("warn", "Clients", f"is at {share} of its clients", text, share)
    if snapshot.figures.get("rejected"):
        text = "As many are connected as it allows (maxclients)."
        yield Problem("bad", "Refusing", "refuses clients", text, "maxclients reached")
    cpu = snapshot.figures.get("cpu")
    if cpu is not None and cpu >= FULL:
        share = f"{cpu:.0%} of one core"
        yield Problem("warn", "Busy", f"uses {share}", "Commands wait for each other.", share)


def _unanswered(snapshot: Snapshot, now: float) -> Problem:
    failing = snapshot.failing or {}
    lasted = numbers.duration(max(int(now - failing["since"]), 0))
    since = f"since {clock(failing['since'], now)}, {lasted}"
    last = f"Last reply {clock(snapshot.at, now)}. " if snapshot.at else "It never answered. "
    tries = failing["tries"]
    tried = f" {numbers.exact(tries)} tr{'y' if tries == 1 else 'ies'} since." if tries else ""
    reached = failing["cause"] not in NOT_REACHED
    word = {"auth": "Sign-in refused", "noperm": "Right missing", "loading": "Loading"}.get(
        failing["cause"], "In trouble" if reached else "Unreachable"
    )
    title = "answers with an error" if reached else "does not answer"
    return Problem(
        "changing" if failing["cause"] == "loading" else "bad" if reached else "unreachable",
        word, title, f"{last}{failing['sentence']}{tried}", since, failing["detail"],
    )  # fmt: skip


def _memory(snapshot: Snapshot, now: float) -> Iterator[Problem]:
    share = snapshot.memory_share
    if share is None or share < FULL or snapshot.policy != "noeviction":
        return
    if share >= ALL:
        text = "Nothing makes room: its policy is noeviction."
        yield Problem("bad", f"Memory {share:.0%}", "is full", text, "writes are refused")
        return
    text, brief = "When it is full it refuses writes (noeviction).", "not full soon"
    left = full_in(snapshot)
    if left is not None:
        brief = f"full in about {numbers.duration(max(round(left / 60), 1) * 60)}"
        text = f"{text} At the pace of the last hour it is {brief}."
    yield Problem("warn", f"Memory {share:.0%}", f"is {share:.0%} full", text, brief)


def full_in(snapshot: Snapshot) -> float | None:
    """Seconds until the memory limit at the hour's pace; None when it does not come nearer."""
    known = [(at, used) for at, used, _ in snapshot.hour if at is not None and used is not None]
    limit, used = snapshot.figures.get("limit"), snapshot.figures.get("memory")
    if len(known) < 2 or not limit or used is None:
        return None
    (start, first), (end, last) = known[0], known[-1]
    growth = (last - first) / (end - start) if end - start >= 300 else 0.0
    if growth <= 0 or (limit - used) / growth > 7 * 24 * 3600:
        return None
    return max(limit - used, 0) / growth


def _persistence(snapshot: Snapshot) -> Iterator[Problem]:
    kept = snapshot.persistence
    if kept.get("rdb_last_bgsave_status") not in (None, "ok"):
        text = "With stop-writes-on-bgsave-error it refuses writes until a save goes well."
        yield Problem("bad", "Save failed", "could not save its data", text, "RDB file")
    written = (kept.get("aof_last_write_status"), kept.get("aof_last_bgrewrite_status"))
    if kept.get("aof_enabled") and any(status not in (None, "ok") for status in written):
        text = "What was written since is lost in a restart."
        title = "could not write its append-only file"
        yield Problem("bad", "AOF failed", title, text, "append-only file")


def _replication(snapshot: Snapshot) -> Iterator[Problem]:
    told = snapshot.replication
    if told.get("role") == "slave" and told.get("master_link_status") != "up":
        primary = f"{told.get('master_host')}:{told.get('master_port')}"
        text = "It shows data as it was when the link broke."
        title = f"is cut off from its primary {primary}"
        yield Problem("bad", "Link down", title, text, f"to {primary}")
    for name, replica in _replicas(snapshot):
        lag, address = replica["lag"], replica["address"]
        if replica["state"] != "online":
            text = f"{address}{name} ({replica['state']}) cannot take over yet."
            title = "has a replica that is not in step"
            yield Problem("warn", "Replica syncing", title, text, address)
        elif lag is not None and lag >= LAG_SECONDS:
            text = f"{address}{name}: what it lacks is lost if it takes over now."
            title = f"has a replica {numbers.duration(lag)} behind"
            yield Problem("warn", "Replica behind", title, text, numbers.duration(lag))


def _replicas(snapshot: Snapshot) -> Iterator[tuple[str, dict[str, Any]]]:
    if snapshot.shards:
        for shard in snapshot.shards:
            for replica in shard["replicas"]:
                yield f" of {shard['name']}", replica
        return
    for replica in snapshot.replication.get("replicas", []):
        yield "", replica


def _notes(snapshot: Snapshot, now: float) -> Iterator[str]:
    """Worth knowing: no cause to get up."""
    if snapshot.failing is not None:
        return
    restarts = [event for event in snapshot.events if event["kind"] in ("restart", "back", "role")]
    if restarts and now - restarts[-1]["at"] < YOUNG:
        event = restarts[-1]
        yield f"{event['text']} at {clock(event['at'], now)}."
    used, ratio = snapshot.figures.get("memory"), snapshot.fragmentation
    if used and ratio and ratio > FRAGMENTED and used * (ratio - 1) > WASTE:
        yield f"Fragmented: {numbers.size(used * (ratio - 1))} beyond what the data needs."
    share = snapshot.memory_share
    if share is not None and share >= FULL and snapshot.policy != "noeviction":
        yield f"Memory is at its limit, keys are evicted ({snapshot.policy})."


def clock(at: float | None, now: float) -> str:
    """01:31:05 today, the date before."""
    moment, today = numbers.moment(at), numbers.moment(now)
    return numbers.UNKNOWN if moment is None or today is None else numbers.clock(moment, today)
