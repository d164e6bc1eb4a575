"""What COMMAND DOCS says of each command, with its syntax as redis-cli writes it."""

from __future__ import annotations

from typing import Any

from redisops.commands.raw import items, lower
from redisops.commands.table import Doc
from redisops.replies import pairs, text

_DEEPEST = 12  # arguments within arguments that are shown


def read_docs(reply: Any, into: dict[str, Doc], *, are_parts: bool = False) -> None:
    for raw_name, raw in pairs(reply).items():
        name = raw_name.lower()
        told = pairs(raw)
        into[name] = Doc(
            name=name,
            summary=text(told.get("summary")),
            since=text(told.get("since")),
            group=text(told.get("group")),
            complexity=text(told.get("complexity")),
            syntax=" ".join(
                [name.replace("|", " ").upper(), *map(_argument, items(told.get("arguments")))]
            ),
            deprecated=_deprecated(told),
        )
        if not are_parts:
            read_docs(told.get("subcommands"), into, are_parts=True)


def _deprecated(told: dict[str, Any]) -> str:
    flags = {lower(flag) for flag in items(told.get("doc_flags"))}
    if "deprecated" not in flags:
        return ""
    instead = text(told.get("replaced_by"))
    since = text(told.get("deprecated_since"))
    return f"Deprecated since {since}: use {instead}." if instead else f"Deprecated since {since}."


def _argument(raw: Any, depth: int = 0) -> str:
    """One argument as redis-cli writes it: ``[NX | XX]``, ``key [key ...]``."""
    told = pairs(raw)
    flags = {lower(flag) for flag in items(told.get("flags"))}
    kind = lower(told.get("type", b""))
    token = text(told.get("token"))
    inside = items(told.get("arguments")) if depth < _DEEPEST else []
    inner = [_argument(one, depth + 1) for one in inside]
    if kind == "oneof":
        shown = " | ".join(inner)
        shown = shown if "optional" in flags else f"<{shown}>"
    elif kind == "block":
        shown = " ".join(inner)
    elif kind == "pure-token":
        shown = ""
    else:
        shown = text(told.get("display_text")) or text(told.get("name"))
    if "multiple" in flags:
        again = f"{token} {shown}" if "multiple_token" in flags and token else shown
        shown = f"{shown} [{again} ...]"
    shown = f"{token} {shown}".strip() if token else shown
    return f"[{shown}]" if "optional" in flags else shown
