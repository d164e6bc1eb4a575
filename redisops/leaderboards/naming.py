"""The keys of a board."""

from __future__ import annotations

from redisops.errors import InvalidArgument
from redisops.windows import Window


class Keys:
    """``<prefix>{<name>}:<window>``: all keys of a board are in one slot of a cluster.

    Beside a window's sorted set lie ``…:order`` (a hash, first-wins only) and ``…:scores`` (a
    sorted set, dense ranks only); beside them all ``<prefix>{<name>}:details`` (a hash) and
    ``<prefix>{<name>}:archive:<label>``. A board that was opened by its key has that key alone,
    and ``<key>:details``.
    """

    def __init__(self, prefix: str, name: str | bytes, key: bytes | None = None) -> None:
        self.key = key
        raw = name.encode() if isinstance(name, str) else name
        if key is None and (not raw or set(raw) & set(b"{}")):
            raise InvalidArgument(f"{name!r} is no name of a board: one without braces is")
        self.start = prefix.encode() + b"{" + raw + b"}:"
        self.details = self.start + b"details" if key is None else key + b":details"

    def of(self, window: Window) -> bytes:
        """The sorted set of a window."""
        return self.start + window.label.encode() if self.key is None else self.key

    def archive(self, label: str | bytes) -> bytes:
        """The sorted set of an archive; of a board opened by its key the label is the whole key."""
        raw = label.encode() if isinstance(label, str) else label
        if self.key is not None:
            if not raw or raw == self.key:
                raise InvalidArgument(f"{label!r} cannot hold what {self.key!r} held")
            return raw
        if not raw or b":" in raw:
            raise InvalidArgument(f"{label!r} is no label of an archive: one without colons is")
        return self.start + b"archive:" + raw


def beside(key: bytes) -> list[bytes]:
    """What lies beside a window's sorted set: the order of reaching, and each score once."""
    return [key + b":order", key + b":scores"]
