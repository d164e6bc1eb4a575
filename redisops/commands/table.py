"""What commands a server has and how they behave: flags, categories, keys, documentation.

``known`` are the kept ones, from ``known.json``: Redis 7.0's and Valkey 8.1's own tables.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from redisops.commands.raw import lower

Begin = tuple[Any, ...]
Find = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Where keys stand, in COMMAND's words.

    ``begin``: ("index", i), ("keyword", word, start from) or ("unknown",). ``find``: ("range",
    last, step, limit), ("keynum", index, first, step) or ("unknown",). ``flags``: ``not_key``
    (a channel) and ``incomplete`` (there may be more).
    """

    begin: Begin
    find: Find
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Command:
    """One command or subcommand. ``name`` is lower case, ``config|set`` for parts.

    ``arity`` counts the command itself; below 0: at least so many. ``categories`` without @.
    ``positions``: first key, last key, step (0, 0, 0: none). ``container``: only its
    subcommands can be run.
    """

    name: str
    arity: int
    flags: frozenset[str]
    categories: frozenset[str]
    positions: tuple[int, int, int] = (0, 0, 0)
    specs: tuple[KeySpec, ...] = ()
    container: bool = False

    @property
    def spelled(self) -> str:
        """As it is typed: ``CONFIG SET``."""
        return self.name.replace("|", " ").upper()

    def fits(self, count: int) -> bool:
        """Whether ``count`` words, the command's own among them, are enough and not too many."""
        return count == self.arity if self.arity >= 0 else count >= -self.arity


@dataclass(frozen=True, slots=True)
class Doc:
    """What COMMAND DOCS says about one command; "" where it says nothing."""

    name: str
    summary: str = ""
    since: str = ""
    group: str = ""
    complexity: str = ""
    syntax: str = ""
    deprecated: str = ""


@dataclass(frozen=True)
class Table:
    """The commands of one server, by name.

    ``source`` says in words where they come from; ``lacks`` the ACL right without which the
    server told nothing ("" when it did); ``docs`` is empty below Redis 7.0.
    """

    commands: dict[str, Command]
    docs: dict[str, Doc] = field(default_factory=dict)
    source: str = ""
    lacks: str = ""
    help_note: str = ""

    def find(self, args: Sequence[bytes]) -> Command | None:
        """The command of these arguments, the subcommand where it is a container."""
        if not args or b"|" in args[0]:
            return None
        name = lower(args[0])
        command = self.commands.get(name)
        if command is not None and command.container and len(args) > 1:
            return self.commands.get(f"{name}|{lower(args[1])}", command)
        return command

    def names(self) -> list[str]:
        """Everything that can be typed, upper case: ``CONFIG SET``, ``GET``."""
        return sorted(one.spelled for one in self.commands.values() if not one.container)


@functools.cache
def known() -> dict[str, Command]:
    """The kept commands (Redis 7.0 and Valkey 8.1), by name."""
    kept = json.loads(resources.files(__package__).joinpath("known.json").read_text())
    return {
        name: Command(
            name, arity, frozenset(flags), frozenset(categories), tuple(positions),
            tuple(KeySpec(tuple(b), tuple(f), frozenset(w)) for b, f, w in specs), container,
        )
        for name, (arity, flags, categories, positions, specs, container) in kept.items()
    }  # fmt: skip
