"""INFO's text into values. Nothing a server writes there can raise: what is odd becomes None.

The reply is parsed here and not by redis-py, whose parser drops the sections, turns a version
such as ``8.1`` into a float and a run id of digits into an int.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from redisops.info.model import (
    ClusterNode,
    CommandStat,
    Database,
    Histogram,
    Percentiles,
    Replica,
)

S = TypeVar("S")
Sections = dict[str, dict[str, str]]


def sections(text: bytes) -> Sections:
    """``{"server": {"redis_version": "7.0.15", ...}, ...}``; a repeated field keeps its last."""
    found: Sections = {}
    current: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").split("\r\n"):
        if line.startswith("# "):
            current = found.setdefault(line[2:].strip().lower(), {})
        elif ":" in line:
            name, _, value = line.partition(":")
            current[name] = value
    return found


def number(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def decimal(text: str | None) -> float | None:
    """Also reads ``"12.5%"``."""
    if text is None:
        return None
    try:
        return float(text.rstrip("%"))
    except ValueError:
        return None


def flag(text: str | None) -> bool | None:
    value = number(text)
    return None if value is None else value != 0


READERS: dict[str, Any] = {
    "int | None": number,
    "float | None": decimal,
    "bool | None": flag,
    "str | None": lambda text: text or None,
}


def section(kind: type[S], fields: Mapping[str, str], **more: Any) -> S:
    """A dataclass of ``model`` from the fields that bear its names."""
    values = {
        spec.name: READERS[str(spec.type)](fields.get(spec.name))
        for spec in dataclasses.fields(kind)  # type: ignore[arg-type]
        if str(spec.type) in READERS
    }
    return kind(**values, **more)


def pairs(text: str) -> dict[str, str]:
    """``"calls=1,usec=10"`` into a dict."""
    return {name: value for name, _, value in (part.partition("=") for part in text.split(","))}


def named(fields: Mapping[str, str], prefix: str) -> Iterable[tuple[str, dict[str, str]]]:
    for name, text in fields.items():
        if name.startswith(prefix):
            yield name[len(prefix) :], pairs(text)


def commandstats(fields: Mapping[str, str]) -> dict[str, CommandStat]:
    return {
        name: CommandStat(
            calls=number(values.get("calls")) or 0,
            usec=number(values.get("usec")) or 0,
            rejected_calls=number(values.get("rejected_calls")) or 0,
            failed_calls=number(values.get("failed_calls")) or 0,
        )
        for name, values in named(fields, "cmdstat_")
    }


def latencystats(fields: Mapping[str, str]) -> dict[str, Percentiles]:
    return {
        name: Percentiles(
            p50=decimal(values.get("p50")),
            p99=decimal(values.get("p99")),
            p999=decimal(values.get("p99.9")),
        )
        for name, values in named(fields, "latency_percentiles_usec_")
    }


def errorstats(fields: Mapping[str, str]) -> dict[str, int]:
    return {name: number(values.get("count")) or 0 for name, values in named(fields, "errorstat_")}


def keyspace(fields: Mapping[str, str]) -> dict[int, Database]:
    databases = {}
    for name, values in named(fields, "db"):
        index = number(name)
        if index is not None:
            databases[index] = Database(
                keys=number(values.get("keys")) or 0,
                expires=number(values.get("expires")) or 0,
                avg_ttl=number(values.get("avg_ttl")) or 0,
            )
    return databases


def replicas(fields: Mapping[str, str]) -> tuple[Replica, ...]:
    ours = number(fields.get("master_repl_offset"))
    found = []
    for index, values in named(fields, "slave"):
        if number(index) is None:
            continue  # slave_repl_offset and the like
        offset = number(values.get("offset"))
        found.append(
            Replica(
                address=f"{values.get('ip', '?')}:{values.get('port', '?')}",
                state=values.get("state", "?"),
                offset=offset,
                lag=number(values.get("lag")),
                behind=None if offset is None or ours is None else max(ours - offset, 0),
            )
        )
    return tuple(found)


def cluster_nodes(text: bytes) -> tuple[ClusterNode, ...]:
    """CLUSTER NODES: ``<id> <ip:port@bus[,host]> <flags> <primary> <ping> <pong> <epoch> ...``."""
    found = []
    for line in text.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) < 8:
            continue
        place, _, hostname = words[1].partition(",")
        flags = frozenset(words[2].split(","))
        found.append(
            ClusterNode(
                id=words[0],
                address=place.partition("@")[0],
                hostname=hostname.partition(",")[0],
                flags=flags,
                primary_id=None if words[3] == "-" else words[3],
                linked=words[7] == "connected",
                slots=sum(_slots(word) for word in words[8:]),
                myself="myself" in flags,
            )
        )
    return tuple(found)


def _slots(word: str) -> int:
    """``"0-5460"`` is 5461 slots, ``"7"`` is one, ``"[7->-id]"`` is on its way and not counted."""
    with contextlib.suppress(ValueError):
        first, dash, last = word.partition("-")
        return int(last) - int(first) + 1 if dash else int(first) - int(first) + 1
    return 0


def histograms(reply: Any) -> dict[str, Histogram]:
    """LATENCY HISTOGRAM: ``[name, ["calls", n, "histogram_usec", [bound, n, ...]], ...]``.

    RESP2 gives such flat lists, RESP3 maps.
    """
    found: dict[str, Histogram] = {}
    for name, body in _pairs(reply):
        parts = {_word(field): value for field, value in _pairs(body)}
        found[_word(name)] = dict(_pairs(parts.get("histogram_usec")))
    return found


def _pairs(reply: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(reply, Mapping):
        return reply.items()
    if isinstance(reply, list):
        return zip(reply[::2], reply[1::2], strict=False)
    return ()


def _word(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
