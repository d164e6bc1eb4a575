"""A server's table of commands, from COMMAND and COMMAND DOCS in one round trip.

What an old server (6.2) or a narrow ACL does not tell is filled in from the kept commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from redisops.commands.documentation import read_docs
from redisops.commands.raw import items, lower
from redisops.commands.table import Begin, Command, Doc, Find, KeySpec, Table, known
from redisops.replies import pairs, text

_WEIGHTY = frozenset(("write", "admin", "pubsub", "noscript", "blocking", "movablekeys"))


def read(command: Any, docs: Any, server: str) -> Table:
    """A table from raw replies (errors among them) to COMMAND and COMMAND DOCS.

    ``server`` is its flavour and version in words, such as "Redis 7.0.15".
    """
    note = ""
    if isinstance(command, Exception) or not isinstance(command, list):
        return Table(
            known(), {}, "the commands of Redis 7.0 and Valkey 8.1", _right(command),
            f"{server} does not show its commands to this console's user: +command is missing.",
        )  # fmt: skip
    told: dict[str, Command] = {}
    _read_rows(command, told)
    old = not any(isinstance(row, list) and len(row) > 9 for row in command)
    if old:
        told = _filled(told)
    told_docs: dict[str, Doc] = {}
    if isinstance(docs, list | dict):
        read_docs(docs, told_docs)
    elif old:
        note = f"Help needs Redis 7.0; this is {server}."
    else:
        note = f"{server} gives no help: {docs}"
    return Table(told, told_docs, server, "", note)


def _right(error: Any) -> str:
    return "+command" if "NOPERM" in str(error) or "permission" in str(error) else ""


def _read_rows(rows: Iterable[Any], into: dict[str, Command], above: str = "") -> None:
    """A row that cannot be understood is left out: what is not in the table is not run."""
    for row in rows:
        if not isinstance(row, list) or len(row) < 6:
            continue
        parts = row[9] if len(row) > 9 and isinstance(row[9], list) else []
        try:
            command = _no_less(_command(row, is_container=bool(parts)))
        except (KeyError, TypeError, ValueError):
            continue
        if above and not command.name.startswith(f"{above}|"):
            continue
        into[command.name] = command
        if not above:
            _read_rows(parts, into, command.name)


def _command(row: list[Any], *, is_container: bool) -> Command:
    return Command(
        name=lower(row[0]),
        arity=int(row[1]),
        flags=frozenset(lower(flag) for flag in row[2]),
        categories=frozenset(lower(one).lstrip("@") for one in row[6]) if len(row) > 6 else
        frozenset(),
        positions=(int(row[3]), int(row[4]), int(row[5])),
        specs=tuple(_spec(one) for one in row[8]) if len(row) > 8 else (),
        container=is_container,
    )  # fmt: skip


def _no_less(told: Command) -> Command:
    """A server may say that a command it has does more than we know of it, never that it does
    less: what it says decides what a viewer may run, and some servers are not to be believed."""
    kept = known().get(told.name)
    if kept is None:
        return told
    flags = told.flags | (kept.flags & _WEIGHTY)
    return replace(
        told,
        flags=flags if "readonly" in kept.flags else flags - {"readonly"},
        categories=told.categories | (kept.categories & {"dangerous"}),
        specs=told.specs + tuple(one for one in kept.specs if one not in told.specs),
        container=told.container or kept.container,
    )


def _filled(told: dict[str, Command]) -> dict[str, Command]:
    """A server before 7.0 lists no subcommands and no key specs: take those that are kept."""
    full: dict[str, Command] = {}
    for name, one in told.items():
        kept = known().get(name)
        if kept is None:
            full[name] = one
            continue
        full[name] = replace(one, specs=kept.specs, container=kept.container)
        if kept.container:
            parts = {part: c for part, c in known().items() if part.startswith(f"{name}|")}
            full.update(parts)
    return full


def _spec(raw: Any) -> KeySpec:
    told = pairs(raw)
    begin, find = pairs(told.get("begin_search")), pairs(told.get("find_keys"))
    where, how = pairs(begin.get("spec")), pairs(find.get("spec"))
    kind = lower(begin.get("type", b""))
    start: Begin = ("unknown",)
    if kind == "index":
        start = ("index", int(where["index"]))
    elif kind == "keyword":
        start = ("keyword", text(where["keyword"]), int(where["startfrom"]))
    kind = lower(find.get("type", b""))
    finds: Find = ("unknown",)
    if kind == "range":
        finds = ("range", int(how["lastkey"]), int(how["keystep"]), int(how["limit"]))
    elif kind == "keynum":
        finds = ("keynum", int(how["keynumidx"]), int(how["firstkey"]), int(how["keystep"]))
    flags = frozenset(lower(flag) for flag in items(told.get("flags")))
    return KeySpec(start, finds, flags & {"not_key", "incomplete"})
