"""Look at servers all at once, and keep what was seen.

Every server is asked in a thread of its own under a deadline of its own, so that one that is
slow or dead delays no other: what has answered within ``FIRST`` seconds is kept at once, the
rest when it comes or when its deadline has passed.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import redis

from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.servers.sampling import portrait, samples
from dashboard.servers.sampling.look import Look
from dashboard.servers.sampling.samples import Snapshot
from dashboard.servers.secrets import SecretUnreadable
from dashboard.servers.trouble.report import told
from redisops.errors import CircuitOpen, RedisopsError
from redisops.info import Inspector
from redisops.resilience import Cause, Trouble, deadline, diagnose
from redisops.series import Point

FIRST = 0.5
DEADLINE = 1.5
THREADS = 32
STARTING = 60.0  # seconds in which all processes of a console may come up
_STARTED = time.monotonic()
_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="sampler")


def sample(servers: Sequence[Server], slot: int | None = None) -> dict[int, Snapshot]:
    """Look at the servers and keep what was seen; returns the snapshots by primary key.

    Three round trips to home, whatever the number of servers; two more where some are slow.
    Raises what home raises.
    """
    slot = samples.slot() if slot is None else slot
    series = samples.series()
    names = [samples.name(server) for server in servers]
    known = series.documents(names)
    kept = series.documents(names, "notes")
    notes = {server.pk: json.loads(kept.get(samples.name(server), b"{}")) for server in servers}
    found: dict[int, Snapshot] = {}
    for finished in _looks(servers, notes):
        points = []
        for server, seen in finished:
            before = Snapshot.loads(known.get(samples.name(server)))
            after, note = portrait.paint(server, before, notes[server.pk], seen, slot)
            found[server.pk] = after
            points.append(_point(server, after, note, seen))
        series.record(points)
    return found


@dataclass(frozen=True)
class Known:
    """What a page can show: snapshots by primary key, and what was not as usual.

    ``without`` is "" when the sampler feeds the page, "sampler" when it does not run and the
    page had to look itself, "starting" for that while this process is young, "home" when nothing
    can be kept either.
    """

    snapshots: dict[int, Snapshot]
    without: str = ""


def current(servers: Sequence[Server]) -> Known:
    """What is known of the servers now; looks at them itself where the sampler does not.

    One round trip to home when all is well. A server that has just been added or is watched
    again waits for the sampler's next slot: that is no sign that the sampler is away.
    """
    try:
        found = samples.snapshots(list(servers))
        stale = [
            one for one in servers
            if one.watched and not one.is_stopped and not _is_fresh(found.get(one.pk))
        ]  # fmt: skip
        if all(map(_is_young, stale)) or samples.is_beating():
            return Known(found)
        slot = samples.slot()
        # One page per slot looks, however many are open; the others show what was seen.
        if samples.series().claim(slot, seconds=30):
            found |= sample(stale, slot)
        return Known(found, "starting" if time.monotonic() - _STARTED < STARTING else "sampler")
    except (redis.RedisError, RedisopsError):
        return Known(_look_without_home([s for s in servers if not s.is_stopped]), "home")


_unkept: dict[int, tuple[Snapshot, dict[str, Any]]] = {}
_looking = threading.Lock()


def _look_without_home(servers: Sequence[Server]) -> dict[int, Snapshot]:
    """Looks that this process remembers alone, so that rates are known from the second on.

    One page looks at a time. The others wait as long as servers that are well take to answer,
    and then show what is known: they do not queue behind one that hangs.
    """
    if _looking.acquire(timeout=FIRST):
        try:
            slot = samples.slot()
            before = {server.pk: _unkept.get(server.pk, (Snapshot(), {})) for server in servers}
            due = [server for server in servers if before[server.pk][0].slot != slot]
            for finished in _looks(due, {pk: note for pk, (_, note) in before.items()}):
                for server, seen in finished:
                    _unkept[server.pk] = portrait.paint(server, *before[server.pk], seen, slot)
        finally:
            _looking.release()
    return {server.pk: _unkept.get(server.pk, (Snapshot(), {}))[0] for server in servers}


def _is_young(server: Server) -> bool:
    return time.time() - server.created.timestamp() < samples.YOUNG


def _is_fresh(snapshot: Snapshot | None) -> bool:
    return snapshot is not None and snapshot.is_fresh()


def look(server: Server, note: dict[str, Any]) -> Look:
    """Ask one server, each primary in one round trip; never raises what Redis does."""
    started = time.perf_counter()
    timed = "latency" not in note.get("lacks", {}) and not note.get("untimed")
    try:
        with deadline(DEADLINE):
            client = server.client()
            is_cluster = client.topology == "cluster"
            nodes, failed = {}, {}
            for node in client.primaries():
                name = _address(node)
                try:
                    nodes[name] = Inspector(node).read(cluster=is_cluster, histograms=timed)
                except (redis.RedisError, RedisopsError) as error:
                    if not is_cluster:
                        raise
                    failed[name] = diagnose(error)
            if not nodes:
                first = next(iter(failed.values()), None)
                return Look({}, failed, time.perf_counter() - started, first or NOBODY)
            return Look(nodes, failed, time.perf_counter() - started, timed=timed)
    except (redis.RedisError, RedisopsError, SecretUnreadable, OSError) as error:
        seconds = time.perf_counter() - started
        tried = not isinstance(error, CircuitOpen | SecretUnreadable)
        return Look({}, {}, seconds, _cause(server, error), tried=tried)


NOBODY = Trouble(Cause.CLUSTERDOWN, "No primary of the cluster answers.", "", "", None)
LATE = Trouble(
    Cause.DEADLINE, "It did not answer within the sampler's time.", "", "no answer in time", None
)


def _looks(
    servers: Sequence[Server], notes: dict[int, dict[str, Any]]
) -> Iterator[list[tuple[Server, Look]]]:
    """The looks as they come: what is there after FIRST seconds, then the rest in one piece."""
    asked: dict[Future[Look], Server] = {
        _pool.submit(contextvars.copy_context().run, look, server, notes[server.pk]): server
        for server in servers
    }
    done, pending = wait(asked, timeout=FIRST)
    yield [(asked[one], one.result()) for one in done]
    if not pending:
        return
    done, late = wait(pending, timeout=DEADLINE + 0.2 - FIRST)
    for one in late:
        one.cancel()
    yield [
        *((asked[one], one.result()) for one in done),
        *((asked[one], Look({}, {}, DEADLINE, LATE)) for one in late),
    ]


def _cause(server: Server, error: BaseException) -> Trouble:
    """Why it failed; behind an open breaker stands what opened it."""
    trouble = told(error)
    if trouble.cause is Cause.OPEN_CIRCUIT:
        return clients.breaker(server).last_error or trouble
    return trouble


def _point(server: Server, after: Snapshot, note: dict[str, Any], seen: Look) -> Point:
    return Point(
        samples.name(server),
        after.slot,
        values=after.figures if seen.trouble is None else None,
        cause="" if seen.trouble is None else str(seen.trouble.cause),
        document=after.dumps(),
        notes=json.dumps(note, separators=(",", ":")).encode(),
    )


def _address(node: Any) -> str:
    kwargs = node.connection_pool.connection_kwargs
    return f"{kwargs.get('host', kwargs.get('path', '?'))}:{kwargs.get('port', '')}".rstrip(":")
