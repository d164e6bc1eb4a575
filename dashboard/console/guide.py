"""What the server's table says to somebody with a role: how many commands, and help for each."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from dashboard.accounts.roles import Role
from redisops.commands import Command, Doc, Table, standing


class Entry:
    """One command as a page explains it."""

    def __init__(self, command: Command, doc: Doc | None, role: str) -> None:
        self.command = command
        self.doc = doc or Doc(command.name)
        self.needs, self.refusal = standing(command)
        self.may = bool(self.needs) and Role(role).allows(self.needs)

    @property
    def name(self) -> str:
        return self.command.spelled

    @property
    def syntax(self) -> str:
        return self.doc.syntax or f"{self.name} {self._arguments}".strip()

    @property
    def _arguments(self) -> str:
        """Without documentation the arity still says how many there are."""
        words = len(self.command.name.split("|"))
        count = abs(self.command.arity) - words
        return " ".join(["argument"] * max(count, 0)) + (" [...]" if self.command.arity < 0 else "")

    @property
    def who(self) -> str:
        """Who may run it, as a sentence."""
        if self.refusal is not None:
            return f"Not run here. {self.refusal.reason} {self.refusal.instead}"
        label = Role(self.needs).label.lower()
        above = "" if self.needs == Role.ADMIN else " and above"
        return f"You may run it ({label}{above})." if self.may else f"Needs the role {label}."

    @property
    def facts(self) -> str:
        """What it costs, since when there is such a command, what it is about."""
        cost = f"{self.doc.complexity.rstrip('.')}." if self.doc.complexity else ""
        since = f"Since {self.doc.since}" if self.doc.since else ""
        about = ", ".join(filter(None, (since, self.doc.group)))
        return " ".join(filter(None, (cost, about)))

    def as_json(self) -> dict[str, Any]:
        return {
            "syntax": self.syntax, "summary": self.doc.summary, "facts": self.facts,
            "deprecated": self.doc.deprecated, "may": self.may, "who": self.who,
        }  # fmt: skip


class Guide:
    """The commands of one table for one role; ``wanted`` is the command that help is asked for."""

    def __init__(self, table: Table, role: str, wanted: str = "") -> None:
        self.table = table
        self.role = role
        self.wanted = " ".join(wanted.upper().split())

    @cached_property
    def entries(self) -> dict[str, Entry]:
        return {
            one.spelled: Entry(one, self.table.docs.get(one.name), self.role)
            for one in self.table.commands.values()
            if not one.container or one.name == "command"
        }

    @property
    def names(self) -> list[str]:
        return sorted(self.entries)

    @property
    def allowed(self) -> int:
        """How many of them this role may run, arguments permitting."""
        return sum(one.may for one in self.entries.values())

    @cached_property
    def found(self) -> Entry | None:
        """The wanted command, or the one that its first words name."""
        words = self.wanted.split()
        for count in range(min(len(words), 2), 0, -1):
            entry = self.entries.get(" ".join(words[:count]))
            if entry is not None:
                return entry
        return None

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.table.source,
            "note": self.table.help_note,
            "commands": {name: self.entries[name].as_json() for name in self.names},
        }
