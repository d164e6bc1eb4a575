"""The replicas of a server: where they are, and which of them hold what their primary holds.

Addresses come from whoever knows them: Sentinel, CLUSTER SLOTS, or a lone primary's INFO. Each is
then asked itself, because an announced address may lead nowhere from here, or to another server:
only a server whose ``master_replid`` is the primary's replicates it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from redisops.errors import RedisopsError
from redisops.resilience import deadlines
from redisops.resilience.causes import words_of
from redisops.steps import Steps

MOST = 5  # replicas of one primary that are asked
SECONDS = 2.0  # that one of them may take to say how it is, connecting included
BEHIND = 16 * 1024 * 1024  # bytes of the replication stream that a replica may lack
CLIENTS = 200  # that one client keeps for its replicas
TROUBLE = (redis.RedisError, RedisopsError, OSError)

Address = tuple[str, int]


@dataclass(frozen=True)
class Replica:
    """One replica as it is now. ``client`` reads from it; it belongs to the client that was asked.

    ``name`` is its address, ``primary`` the name of its primary in a cluster, else "". ``run_id``
    tells this process of it from the next. ``behind`` is in bytes of the replication stream.
    ``why_not`` says in words why it should not be read from; "" when it is well.
    """

    name: str
    primary: str
    client: Any
    run_id: str = ""
    behind: int = 0
    why_not: str = ""


class Neighbours:
    """Clients of replicas by address, made when first needed and closed with their owner."""

    def __init__(self, make: Callable[[str, int], Any]) -> None:
        self._make = make
        self._clients: dict[Address, Any] = {}

    def of(self, host: str, port: int) -> Any:
        """The client of one address."""
        known = self._clients.get((host, port))
        if known is None:
            if len(self._clients) >= CLIENTS:
                self._clients.clear()  # whoever still has one keeps it alive
            known = self._clients.setdefault((host, port), self._make(host, port))
        return known

    def empty(self) -> Iterator[Any]:
        """Give up all clients, one after the other, for their owner to close."""
        while self._clients:
            yield self._clients.popitem()[1]


def of_server(owner: Any) -> Steps[list[Replica]]:
    """The replicas of a server that is reached directly or through Sentinel, the best first."""
    pool = owner.connection_pool
    watchers = getattr(pool, "sentinel_manager", None)
    addresses = None
    if watchers is not None:
        addresses = yield watchers.discover_replicas(pool.service_name)
    return (yield from _well(owner, "", addresses, owner.neighbours))


def of_cluster(primaries: dict[str, Any], of: str, neighbours: Neighbours) -> Steps[list[Replica]]:
    """The replicas of a cluster's primaries, by the clients of these; ``of``: of that one only."""
    found: list[Replica] = []
    for name, primary in primaries.items():
        if of in ("", name):
            slots = yield primary.execute_command("CLUSTER", "SLOTS")
            host = name.rpartition(":")[0]
            addresses = _beside(name, host, slots)
            found += yield from _well(primary, name, addresses, neighbours)
    return found


def _well(
    primary: Any, name: str, addresses: Sequence[Address] | None, neighbours: Neighbours
) -> Steps[list[Replica]]:
    """Ask the primary and then each replica how far it is. Without the right to: none."""
    told = yield from _info(primary)
    if told is None or told[0].get("role") != "master":
        return []
    if addresses is None:
        addresses = _announced(told[0])
    found = []
    for host, port in list(dict.fromkeys(addresses))[:MOST]:
        found.append((yield from _look(told[0], name, (host, port), neighbours.of(host, port))))
    return sorted(found, key=lambda one: (bool(one.why_not), one.behind, one.name))


def _look(primary: dict[str, Any], of: str, address: Address, client: Any) -> Steps[Replica]:
    name = f"{address[0]}:{address[1]}"
    try:
        with deadlines.deadline(SECONDS):
            told = yield from _info(client)
    except TROUBLE as error:
        why = f"{name} is not reachable from here ({words_of(error)})"
        return Replica(name, of, client, why_not=why)
    if told is None:
        return Replica(name, of, client, why_not=f"{name} refuses INFO to this user")
    state, server = told
    behind = max(0, _number(primary, "master_repl_offset") - _number(state, "slave_repl_offset"))
    why = _why_not(primary, state, behind)
    run_id = str(server.get("run_id", ""))
    return Replica(name, of, client, run_id, behind, f"{name} {why}" if why else "")


def _why_not(primary: dict[str, Any], state: dict[str, Any], behind: int) -> str:
    if state.get("role") != "slave":
        return "is no replica"
    if state.get("master_link_status") != "up" or _number(state, "master_sync_in_progress"):
        return "has no link to its primary"
    if state.get("master_replid") != primary.get("master_replid"):
        return "is a replica of another server"
    if behind > BEHIND:
        return f"is {behind:,} bytes behind"
    return ""


def _info(client: Any) -> Steps[list[dict[str, Any]] | None]:
    """INFO replication and server in one trip; None when this user may not ask."""
    pipe = client.pipeline(transaction=False)
    pipe.execute_command("INFO", "replication")
    pipe.execute_command("INFO", "server")
    replies: list[Any] = yield pipe.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, redis.exceptions.NoPermissionError):
            return None
        if isinstance(reply, Exception):
            raise reply
    return replies


def _announced(replication: dict[str, Any]) -> list[Address]:
    """The addresses that a primary's INFO names."""
    rows = [replication.get(f"slave{n}") for n in range(_number(replication, "connected_slaves"))]
    return [
        (str(row["ip"]), int(row["port"]))
        for row in rows
        if isinstance(row, dict) and row.get("state") == "online" and row.get("ip")
    ]


def _beside(name: str, host: str, slots: Sequence[Any]) -> list[Address]:
    """The addresses of the replicas that CLUSTER SLOTS names beside one primary."""
    found: list[Address] = []
    for _, _, *servers in slots:
        first, *others = [(_text(server[0]) or host, int(server[1])) for server in servers]
        if _named(*first) == name:
            found += others
    return found


def _named(host: str, port: int) -> str:
    """A node's name as redis-py makes it."""
    return f"{'127.0.0.1' if host == 'localhost' else host}:{port}"


def of_sentinel(rows: Sequence[Sequence[Any]]) -> list[Address]:
    """The addresses in a reply of SENTINEL REPLICAS, without those that it holds to be down."""
    found = []
    for row in rows:
        texts = [_text(part) for part in row]
        told = dict(zip(texts[::2], texts[1::2], strict=False))
        if not {"s_down", "o_down", "disconnected"} & set(told.get("flags", "").split(",")):
            found.append((told["ip"], int(told["port"])))
    return found


def _text(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value or "")
    return "" if text == "?" else text


def _number(told: dict[str, Any], name: str) -> int:
    value = told.get(name, 0)
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else 0
