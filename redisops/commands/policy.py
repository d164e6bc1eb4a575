"""May this person run this command? An allow-list by the server's flags, categories and keys.

Nothing is asked of the server: what it must be asked first (lengths, names of keys) is said in
the verdict. The ACL of the console's own user comes on top; it cannot widen what is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redisops.commands import bounds, keyfinding
from redisops.commands.bounds import Bound
from redisops.commands.keyfinding import Found
from redisops.commands.refusals import BLOCK_OPTION, BLOCKS, REFUSED, Refusal
from redisops.commands.roles import (
    ADMIN,
    FLAGS,
    NEWER,
    NEWER_READS,
    OPERATOR,
    ROLES,
    RULES,
    SLOW_FOR_VIEWERS,
    VIEWER,
    Rule,
)
from redisops.commands.table import Command, Table, known
from redisops.commands.words import word
from redisops.keys import printable

GUARDED = "It names a key of the console's own, which nobody reads or writes here."
ANY_KEY = "It can reach every key, and this server holds the console's own keys."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a command may be run, and what is known about it before it is.

    ``needs``: the least role that may ("" when nobody may). ``reason`` and ``instead``: why not
    and what to use, sentences; "" when allowed. ``confirm``: to be typed again first.
    ``writes``: it may change something. ``keys`` and ``channels``: those it names.
    ``reaches``: it may touch keys that nobody can name; refuse it where the console's own keys
    are. ``ask_keys``: the server must be asked for the keys (COMMAND GETKEYS), then judge again.
    ``bound``: what must be measured before it is sent. ``name``: as typed, "CONFIG SET".
    """

    allowed: bool
    name: str = ""
    needs: str = ""
    reason: str = ""
    instead: str = ""
    confirm: bool = False
    writes: bool = False
    keys: tuple[bytes, ...] = ()
    channels: tuple[bytes, ...] = ()
    reaches: bool = False
    ask_keys: bool = False
    bound: Bound | None = None

    @property
    def is_keyless(self) -> bool:
        """Whether on a cluster somebody must say which node is meant."""
        return not self.keys and not self.channels and not self.ask_keys


def judge(
    args: Sequence[bytes],
    table: Table,
    role: str,
    *,
    protected: bytes = b"",
    keys: Sequence[bytes] | None = None,
) -> Verdict:
    """The verdict on ``args`` for somebody with ``role`` (viewer, operator or admin).

    ``protected`` is what the names of the console's own keys begin with (b"": there are none);
    ``keys`` what the server answered when a verdict before this one said ``ask_keys``.
    """
    if role not in ROLES:
        raise ValueError(f'"{role}" is no role: one of {", ".join(ROLES)} is')
    command = table.find(args)
    if command is None:
        return _unknown(args)
    refusal = _never(command, args)
    if refusal is not None:
        return _no(command, refusal)
    rule = _rule(command)
    if rule is None:
        return _no(command, _not_reviewed(command))
    found = keyfinding.find(command, args)
    if keys is not None:
        found = Found(tuple(keys), found.channels, complete=True, prefixes=found.prefixes)
    return _judged(command, rule, found, args, role, protected)


def standing(command: Command) -> tuple[str, Refusal | None]:
    """The least role that may run a command whatever its arguments, or ("", why nobody may)."""
    refusal = _never(command, (command.name.encode(),))
    rule = _rule(command) if refusal is None else None
    if rule is None:
        return "", refusal or _not_reviewed(command)
    return rule.role, None


def _judged(
    command: Command, rule: Rule, found: Found, args: Sequence[bytes], role: str, protected: bytes
) -> Verdict:
    resets = command.name == "acl|log" and b"RESET" in map(word, args)
    writes = resets or (rule.writes and not _only_reads_so(command, args))
    about = Verdict(
        allowed=False, name=command.spelled, needs=rule.role, writes=writes,
        confirm=rule.confirm, keys=found.keys, channels=found.channels, reaches=rule.reaches,
        ask_keys=not found.complete and not rule.reaches,
    )  # fmt: skip
    if protected and (own := _guarded(found, protected)):
        return replace(about, needs="", reason=GUARDED, instead=own)
    if not command.fits(len(args)):
        return replace(
            about,
            reason="It has too few or too many arguments.",
            instead=f"{command.spelled} takes {_count(command)}.",
        )
    if ROLES.index(role) < ROLES.index(rule.role):
        reason = f"{command.spelled} needs the role {rule.role} on this server; you are {role}."
        return replace(about, reason=reason, instead=_for_role(command, rule))
    # A key that is named twice is read twice.
    names = frozenset(found.keys)
    named = [arg for arg in args[1:] if arg in names]
    bound = bounds.bound(command.name, args, named)
    if isinstance(bound, Refusal):
        return replace(about, reason=bound.reason, instead=bound.instead)
    return replace(about, allowed=True, bound=bound)


def _unknown(args: Sequence[bytes]) -> Verdict:
    name = printable(args[0][:64]).upper() if args else ""
    known_refusal = REFUSED.get(name.lower()) if name else None
    if known_refusal is not None:
        return Verdict(
            allowed=False, name=name, reason=known_refusal.reason, instead=known_refusal.instead
        )
    reason = f"This server has no command {name}." if name else "It is empty."
    instead = "The list completes names as you type."
    return Verdict(allowed=False, name=name, reason=reason, instead=instead)


def _never(command: Command, args: Sequence[bytes]) -> Refusal | None:
    refusal = REFUSED.get(command.name)
    if refusal is not None:
        return refusal
    if command.container and command.name != "command":
        return Refusal(
            f"{command.spelled} alone does nothing: it has subcommands.",
            f"{command.spelled} HELP lists them.",
        )
    if command.name == "command" and len(args) > 1:
        return Refusal("It has no such subcommand.", "COMMAND HELP lists them.")
    if "blocking" in command.flags:
        if command.name not in ("xread", "xreadgroup"):
            return BLOCKS
        if any(word(arg) == b"BLOCK" for arg in args[1:]):
            return BLOCK_OPTION
    return None


def _rule(command: Command) -> Rule | None:
    """By name where somebody decided, else by flags; None when nobody has looked at it."""
    decided = RULES.get(command.name)
    if command.flags - FLAGS:
        return None
    if decided is not None:
        return _no_weaker(decided, command)
    if command.name not in known() and command.name not in NEWER:
        return None
    if not command.specs and command.positions[0] <= 0 and "movablekeys" not in command.flags:
        return None  # without a key somebody has to decide
    if command.flags & {"admin", "pubsub", "noscript"} or "dangerous" in command.categories:
        return Rule(ADMIN, writes="readonly" not in command.flags, confirm=True)
    if "write" in command.flags or command.name in NEWER - NEWER_READS:
        return Rule(OPERATOR, writes=True)
    if "readonly" not in command.flags:
        return None
    bounded = "fast" in command.flags or command.name in SLOW_FOR_VIEWERS
    return Rule(VIEWER if bounded else OPERATOR)


def _no_weaker(decided: Rule, command: Command) -> Rule | None:
    """A server that flags as a write what we decided to be a read knows better."""
    if "write" in command.flags and not decided.writes:
        return None
    return decided


def _not_reviewed(command: Command) -> Refusal:
    odd = ", ".join(sorted(command.flags - FLAGS))
    why = f" (flag {odd})" if odd else ""
    return Refusal(
        f"The console does not know {command.spelled}{why}, so it cannot tell what it does.",
        "Use redis-cli, and ask for it to be added to the console's list.",
    )


def _only_reads_so(command: Command, args: Sequence[bytes]) -> bool:
    """SORT and GEORADIUS are flagged as writes for an option that these arguments do not have."""
    if command.name not in ("sort", "georadius", "georadiusbymember"):
        return False
    return not any(word(arg) in (b"STORE", b"STOREDIST") for arg in args[2:])


def _guarded(found: Found, protected: bytes) -> str:
    """What of it is the console's own, in words; "" when nothing is."""
    for name in (*found.keys, *found.channels):
        if name.startswith(protected):
            return f"{printable(name[:120])} is the console's own."
    for prefix in found.prefixes:
        if prefix.startswith(protected) or protected.startswith(prefix):
            shown = printable(prefix[:120])
            return f"The pattern {shown}* can name the console's own keys: begin it otherwise."
    return ""


def _for_role(command: Command, rule: Rule) -> str:
    if command.name == "sort":
        return "An operator may; SORT_RO does not write."
    return f"Somebody with the role {rule.role} can run it, or give you the role."


def _count(command: Command) -> str:
    count = abs(command.arity) - 1
    words = "argument" if count == 1 else "arguments"
    return f"{'exactly' if command.arity >= 0 else 'at least'} {count} {words}"


def _no(command: Command, refusal: Refusal) -> Verdict:
    return Verdict(
        allowed=False, name=command.spelled, reason=refusal.reason, instead=refusal.instead,
        writes="write" in command.flags,
    )  # fmt: skip


__all__ = ["ADMIN", "ANY_KEY", "OPERATOR", "VIEWER", "Verdict", "judge", "standing"]
