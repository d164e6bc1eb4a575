"""Files at rest: frames of up to 1 MiB, each sealed for its file and its place in it.

A frame is the length of what follows (4 bytes) and the sealed bytes. Only whoever has the
console's encryption keys can read a file, and no frame can be moved, changed or left out unseen:
how many there are is in SQL.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from dashboard.servers import secrets
from redisops.errors import RedisopsError

if TYPE_CHECKING:
    from dashboard.keys.transfer.models import Archive

FRAME = 1024 * 1024
EXTRA = 4 + 12 + 16  # a key's id, a nonce, a tag: what sealing adds
LENGTH = 4
STRAY_SECONDS = 3600


class FileLost(RedisopsError):
    """The file is not as SQL says: it was removed, cut off or changed behind the console."""


def folder(use: str) -> Path:
    """Where files are; made with mode 0700."""
    path = Path(settings.DATA_DIR) / f"{use}s"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class Writer:
    """Adds to a file from what was committed: what came after that is cut away first."""

    def __init__(self, archive: Archive, stored: int, frames: int) -> None:
        self.place = archive.place
        self.stored = stored
        self.frames = frames
        self.size = 0  # bytes given to this writer
        self._waiting = bytearray()
        handle = os.open(archive.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(handle, "r+b")
        if self._file.seek(0, io.SEEK_END) < stored:
            self._file.close()
            raise FileLost(f"{archive.path.name} is shorter than what was written to it")
        self._file.truncate(stored)
        self._file.seek(stored)

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._waiting += data
        while len(self._waiting) >= FRAME:
            self._seal(bytes(self._waiting[:FRAME]))
            del self._waiting[:FRAME]

    def close(self) -> None:
        """Seal what waits; ``stored`` and ``frames`` are then what must be committed."""
        if self._waiting:
            self._seal(bytes(self._waiting))
            self._waiting.clear()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _seal(self, data: bytes) -> None:
        sealed = secrets.seal_bytes(data, f"{self.place}:{self.frames}")
        self._file.write(len(sealed).to_bytes(LENGTH, "big") + sealed)
        self.frames += 1
        self.stored += LENGTH + len(sealed)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: Any, *details: object) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()


def chunks(archive: Archive, first: int = 0) -> Iterator[bytes]:
    """The content, a frame at a time, from frame ``first`` on (all before it are full ones).

    FileLost or SecretUnreadable when it is not what was written.
    """
    with _file_of(archive) as file:
        file.seek(first * (LENGTH + FRAME + EXTRA))
        for frame in range(first, archive.frames):
            length = int.from_bytes(file.read(LENGTH), "big")
            sealed = file.read(min(length, FRAME + EXTRA))
            if not sealed or len(sealed) < length:
                raise FileLost(f"{archive.path.name} ends before what was written to it")
            yield secrets.unseal_bytes(sealed, f"{archive.place}:{frame}")


def is_current(archive: Archive) -> bool:
    """Whether the newest encryption key sealed every frame; reads a few bytes of each."""
    with _file_of(archive) as file:
        for _ in range(archive.frames):
            head = file.read(LENGTH + 4)
            if len(head) < LENGTH + 4:
                raise FileLost(f"{archive.path.name} ends before what was written to it")
            if not secrets.is_current_bytes(head[LENGTH:]):
                return False
            file.seek(int.from_bytes(head[:LENGTH], "big") - 4, io.SEEK_CUR)
    return True


def rewrite(archive: Archive, path: Path) -> None:
    """Write what ``chunks`` gives to ``path``, frame by frame as it was, with the newest key.

    Sealing adds as much with every key, so each frame keeps its place and its length.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        for frame, data in enumerate(chunks(archive)):
            sealed = secrets.seal_bytes(data, f"{archive.place}:{frame}")
            file.write(len(sealed).to_bytes(LENGTH, "big") + sealed)
        file.flush()
        os.fsync(file.fileno())


def _file_of(archive: Archive) -> io.BufferedReader:
    try:
        return archive.path.open("rb")
    except OSError as error:
        raise FileLost(f"{archive.path.name} is gone from the data directory") from error


class Reading(io.RawIOBase):
    """A file that was written at once, as a stream from ``start`` on."""

    def __init__(self, archive: Archive, start: int = 0) -> None:
        first, skip = divmod(start, FRAME)
        self._chunks = chunks(archive, first)
        self._held = memoryview(b"")
        if skip:
            self._held = memoryview(next(self._chunks, b""))[skip:]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            data = next(self._chunks, None)
            if data is None:
                return 0
            self._held = memoryview(data)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def opened(archive: Archive, start: int = 0) -> io.BufferedReader:
    """The content as a file that stands at ``start``; a frame in memory at a time."""
    return io.BufferedReader(Reading(archive, start), FRAME)


def strays(known: set[str]) -> Iterator[Path]:
    """Files that no row knows and nobody has written for an hour."""
    for use in ("export", "import"):
        for path in folder(use).glob("*.sealed"):
            if path.stem not in known and path.stat().st_mtime < time.time() - STRAY_SECONDS:
                yield path
