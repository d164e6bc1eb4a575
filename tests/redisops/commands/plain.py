"""A command with as few plain arguments as it takes, and what the policy says of it by role."""

from __future__ import annotations

from redisops.commands import Command, Table, judge
from redisops.commands.roles import ROLES


def plain(command: Command) -> list[bytes]:
    """``GET 1``, ``SET 1 1``; XREAD and XREADGROUP need their keyword."""
    words = [word.encode() for word in command.name.split("|")]
    if command.name == "xread":
        return [*words, b"STREAMS", b"1", b"0"]
    if command.name == "xreadgroup":
        return [*words, b"GROUP", b"g", b"c", b"STREAMS", b"1", b">"]
    return [*words, *[b"1"] * (abs(command.arity) - len(words))]


def told(command: Command, table: Table) -> str:
    """``operator writes``, ``admin writes confirm reaches``, ``never``."""
    verdicts = {role: judge(plain(command), table, role) for role in ROLES}
    least = next((role for role in ROLES if verdicts[role].allowed), None)
    if least is None:
        return "never"
    assert all(verdicts[role].allowed for role in ROLES[ROLES.index(least) :])
    verdict = verdicts["admin"]
    marks = [mark for mark in ("writes", "confirm", "reaches") if getattr(verdict, mark)]
    return " ".join([least, *marks])
