"""What a person wants to hear, and what nobody may: the console's own channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import InvalidArgument

Kind = Literal["channel", "pattern", "shard"]
KINDS: dict[str, str] = {
    "pattern": "Pattern", "channel": "Channel", "shard": "Sharded channel",
}  # fmt: skip
LONGEST = 1_000
COMMANDS = {"channel": "SUBSCRIBE", "pattern": "PSUBSCRIBE", "shard": "SSUBSCRIBE"}


@dataclass(frozen=True)
class Wanted:
    """One channel by name, one pattern, or one sharded channel."""

    kind: Kind
    name: bytes

    @property
    def subscription(self) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
        """The command to send and its channels."""
        return ((COMMANDS[self.kind], (self.name,)),)

    @property
    def printable(self) -> str:
        return keys.printable(self.name)

    @property
    def is_all(self) -> bool:
        """Whether every message that is published here comes with it."""
        return self.kind == "pattern" and self.name == b"*"

    @property
    def url(self) -> str:
        """The end of the socket's address."""
        return f"{self.kind}/{keys.to_url(self.name)}/"

    @property
    def words(self) -> str:
        if self.kind == "pattern":
            return "every channel" if self.is_all else "the pattern"
        return "the channel" if self.kind == "channel" else "the sharded channel"


def wanted(server: Server, kind: str, name: bytes) -> Wanted:
    """The same, checked; raises InvalidArgument in words for a page."""
    if kind not in KINDS:
        raise InvalidArgument(f'"{kind[:20]}" is no kind of subscription')
    if not name:
        raise InvalidArgument("Say which channel or pattern.")
    if len(name) > LONGEST:
        raise InvalidArgument(f"A name is at most {LONGEST:,} bytes here.")
    if kind == "pattern":
        keys.pattern(name)
    elif is_own(server, name):
        raise InvalidArgument("This channel is the console's own, and is not shown.")
    return Wanted(kind, name)  # type: ignore[arg-type]


def is_own(server: Server, channel: bytes, data: bytes = b"") -> bool:
    """Whether a message is the console's own business, or tells what becomes of its keys."""
    if server.protects(channel):
        return True
    if channel.startswith(b"__keyspace@"):
        return server.protects(channel.partition(b"__:")[2])
    return channel.startswith(b"__keyevent@") and server.protects(data)
