"""What the server at the other end is and can do, asked once per pool in one round trip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redisops.replies import pairs, text

# The first versions (Redis, Valkey) with a command; None: that flavour never had it.
_SINCE: dict[str, tuple[tuple[int, int] | None, tuple[int, int] | None]] = {
    "GETEX": ((6, 2), (7, 2)), "COPY": ((6, 2), (7, 2)), "XAUTOCLAIM": ((6, 2), (7, 2)),
    "FUNCTION": ((7, 0), (7, 2)), "FCALL": ((7, 0), (7, 2)), "EVALSHA_RO": ((7, 0), (7, 2)),
    "EXPIRETIME": ((7, 0), (7, 2)), "LMPOP": ((7, 0), (7, 2)), "SINTERCARD": ((7, 0), (7, 2)),
    "SPUBLISH": ((7, 0), (7, 2)), "SSUBSCRIBE": ((7, 0), (7, 2)), "WAITAOF": ((7, 2), (7, 2)),
    "HEXPIRE": ((7, 4), (9, 0)), "HPEXPIRE": ((7, 4), (9, 0)), "HTTL": ((7, 4), (9, 0)),
    "HPTTL": ((7, 4), (9, 0)), "HPERSIST": ((7, 4), (9, 0)),
    "HGETEX": ((8, 0), (9, 0)), "HSETEX": ((8, 0), (9, 0)), "HGETDEL": ((8, 0), None),
    "VADD": ((8, 0), None), "VSIM": ((8, 0), None),
    "XDELEX": ((8, 2), None), "XACKDEL": ((8, 2), None),
    "COMMANDLOG": (None, (8, 1)), "DELIFEQ": (None, (9, 0)),
}  # fmt: skip
_MODULES = {"JSON": "ReJSON", "FT": "search", "TS": "timeseries", "BF": "bf"}


@dataclass(frozen=True)
class Features:
    """A server's version, flavour, commands and modules.

    ``commands`` are upper-case names (``GET``, and ``XINFO STREAM`` for parts), or None when
    the ACL hides them; ``reading`` those that the server flags as readonly. ``mode`` is
    standalone, sentinel or cluster, ``role`` primary or replica as it was when asked.
    """

    version: tuple[int, ...]
    flavour: str
    commands: frozenset[str] | None
    modules: dict[str, int]
    mode: str = "standalone"
    role: str = "primary"
    reading: frozenset[str] = field(default=frozenset(), repr=False)

    def __str__(self) -> str:
        return f"{self.flavour} {'.'.join(map(str, self.version))}".strip()

    def lacks(self, command: str) -> str:
        """ "" when the server has the command, else the reason in words for a greyed control."""
        name = command.upper()
        if self.commands is not None and (
            name in self.commands or (name.split(" ")[0] in self.commands and " " not in name)
        ):
            return ""
        since = _SINCE.get(name) or _SINCE.get(name.split(" ")[0])
        own = 1 if self.flavour == "Valkey" else 0
        needed = since[own] if since else None
        new_enough = needed is not None and self.version[:2] >= needed
        # Where nobody listed the commands, the version has to do; unknown names pass.
        if self.commands is None and (since is None or new_enough):
            return ""
        if since is not None:
            wanted = " or ".join(
                f"{flavour} {first[0]}.{first[1]}"
                for flavour, first in zip(("Redis", "Valkey"), since, strict=True)
                if first is not None
            )
            if new_enough:
                return f"{name} is renamed or switched off on this server ({self})"
            return f"needs {wanted}; this is {self}"
        module = _MODULES.get(name.split(".")[0]) if "." in name else None
        if module is not None:
            return f"needs the module {module}, which this server has not loaded"
        return f"this server ({self}) has no {name}"


def ask(pipe: Any) -> Any:
    """Queue the questions; their replies are what ``read`` takes. Each of them may be refused."""
    pipe.execute_command("HELLO")
    pipe.execute_command("INFO", "server")
    # As bytes: redis-py then leaves the reply as it is, and does not stumble over odd rows.
    pipe.execute_command(b"COMMAND")
    pipe.execute_command("MODULE LIST")
    return pipe


def read(replies: list[Any]) -> Features:
    """What the replies tell; what the ACL refused stays unknown. Raises when none of it came."""
    hello, info, command, modules = replies
    if all(isinstance(reply, Exception) for reply in replies):
        raise hello
    told = pairs(hello)
    server = info if isinstance(info, dict) else {}
    flavour = (
        "Valkey" if text(told.get("server")) == "valkey" or "valkey_version" in server else "Redis"
    )
    version = (
        server.get("valkey_version")
        or (flavour == "Redis" and server.get("redis_version"))
        or text(told.get("version"))
    )
    names, reading = _commands(command)
    role = "primary" if text(told.get("role")) in ("master", "") else "replica"
    return Features(
        version=_version(str(version)),
        flavour=flavour,
        commands=names,
        modules=_modules(modules if isinstance(modules, list) else told.get("modules")),
        mode=text(told.get("mode")) or "standalone",
        role=role,
        reading=reading,
    )


def _commands(reply: Any) -> tuple[frozenset[str] | None, frozenset[str]]:
    if not isinstance(reply, list):
        return None, frozenset()
    names: set[str] = set()
    reading: set[str] = set()
    for row in reply:
        if not isinstance(row, list) or len(row) < 3:
            continue
        upper = text(row[0]).upper()
        names.add(upper)
        names.update(_parts(row))
        flags = row[2] if isinstance(row[2], list | set) else ()
        if "readonly" in {text(flag) for flag in flags}:
            reading.add(upper)
    return frozenset(names), frozenset(reading)


def _parts(row: list[Any]) -> set[str]:
    parts = row[9] if len(row) > 9 and isinstance(row[9], list) else []
    return {
        text(part[0]).replace("|", " ").upper() for part in parts if isinstance(part, list) and part
    }


def _modules(reply: Any) -> dict[str, int]:
    modules = {}
    for row in reply if isinstance(reply, list) else ():
        facts = pairs(row)
        if "name" in facts:
            ver = facts.get("ver", 0)
            modules[text(facts["name"])] = ver if isinstance(ver, int) else 0
    return modules


def _version(text: str) -> tuple[int, ...]:
    digits = [part for part in text.split(".") if part.isdecimal() and len(part) < 9]
    return tuple(int(part) for part in digits) or (0,)
