"""Keys on their way into a frozen list: each once, in rows of bounded size."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from dashboard.keys.bulk.models import CHUNK, MOST, KeyChunk, KeyList, pack

CHUNK_BYTES = 4 * 1024 * 1024
SMALLEST = 1 << 12
_WORD = (1 << 64) - 1


class TooMany(Exception):
    """More keys than a list holds; the text is a whole sentence."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"More than {most:,} keys match. Narrow it by a longer prefix or a filter, "
            "and do the rest in a second job."
        )


class Seen:
    """Tells which keys are new, in 8 bytes of memory for each and room to grow: a hash table.

    It holds 64-bit hashes, keyed anew in every process, so nobody can choose names that collide.
    Of 10,000,000 keys one is taken for another, and so left out, once in 370,000 lists.
    """

    def __init__(self, most: int = MOST) -> None:
        self.count = 0
        self.most = most
        self._table = array("Q", bytes(8 * SMALLEST))

    def fresh(self, keys: Iterable[bytes]) -> list[bytes]:
        """Those of ``keys`` that never came before, each once; raises TooMany."""
        table, count = self._table, self.count
        mask = len(table) - 1
        room = len(table) * 2 // 3
        fresh = []
        for key in keys:
            digest = hash(key) & _WORD or 1  # 0 is an empty place
            at = digest & mask
            while (found := table[at]) and found != digest:
                at = (at + 1) & mask
            if found:
                continue
            table[at] = digest
            fresh.append(key)
            count += 1
            if count > room:
                table = self._table = _wider(table)
                mask, room = len(table) - 1, len(table) * 2 // 3
        self.count = count
        if count > self.most:
            raise TooMany(self.most)
        return fresh


def _wider(table: array[int]) -> array[int]:
    """The same hashes in a table of twice the size."""
    wider = array("Q", bytes(16 * len(table)))
    mask = len(wider) - 1
    for digest in table:
        if digest:
            at = digest & mask
            while wider[at]:
                at = (at + 1) & mask
            wider[at] = digest
    return wider


class Writer:
    """Adds keys to a list that is being counted.

    ``add`` keeps them in memory; ``flush`` gives what writes them, for the transaction that keeps
    the job's checkpoint (``work.also(writer.flush())``), because rows and checkpoint must agree
    after a crash. A new Writer reads what is there: keep one for as long as ``total`` is what the
    checkpoint says, and make a new one when it is not.
    """

    def __init__(self, key_list: KeyList, most: int = MOST) -> None:
        self.list = key_list
        self.total = 0
        """Keys in the list, those that a write is under way for included."""
        self._seen = Seen(most)
        self._waiting: list[bytes] = []
        self._prefix = key_list.server.protected_prefix
        for keys in key_list.every():
            self.total += len(self._seen.fresh(keys))

    def add(self, keys: Iterable[bytes]) -> tuple[int, int]:
        """Take what is new: (keys taken, the console's own left out). Raises TooMany."""
        fresh = self._seen.fresh(keys)
        kept = [key for key in fresh if not key.startswith(self._prefix)]
        self._waiting += kept
        return len(kept), len(fresh) - len(kept)

    def flush(self) -> Callable[[], None]:
        """What writes the keys added since, SQL only; it may be called again when SQL failed."""
        first, rows = self.total, []
        for part in chunks(self._waiting):
            rows.append((first, len(part), pack(part)))
            first += len(part)
        self.total, self._waiting = first, []

        def write() -> None:
            KeyChunk.objects.bulk_create(
                KeyChunk(list=self.list, first=first, count=count, packed=packed)
                for first, count, packed in rows
            )

        return write


def chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Parts of at most 5,000 keys and about 4 MiB of names."""
    first = size = 0
    for place, key in enumerate(keys):
        if place > first and (place - first >= CHUNK or size + len(key) > CHUNK_BYTES):
            yield keys[first:place]
            first, size = place, 0
        size += len(key)
    if first < len(keys):
        yield keys[first:]
