"""What Redis could not be told while it was away."""

from __future__ import annotations

from collections.abc import Iterable

MOST_OWED = 10_000


class Owed:
    """Entries that are to be deleted; beyond ``MOST_OWED`` the whole namespace is to be ended."""

    def __init__(self) -> None:
        self._names: dict[bytes, int] = {}
        self._all = 0
        self._turn = 0
        self._first = 0

    def __bool__(self) -> bool:
        return bool(self._names or self._all)

    def __contains__(self, name: bytes) -> bool:
        return bool(self._all) or name in self._names

    def add(self, name: bytes) -> None:
        """This entry may be an old one."""
        self._turn += 1
        if self._all or (len(self._names) >= MOST_OWED and name not in self._names):
            self._all = self._turn
            self._names.clear()
        else:
            self._names[name] = self._turn

    def some(self, wanted: Iterable[bytes], most: int) -> tuple[dict[bytes, int], int]:
        """The ``wanted`` ones that are owed and up to ``most`` others; not 0: the namespace."""
        found = {name: at for name in wanted if (at := self._names.get(name)) is not None}
        rows = list(self._names.items())
        first = self._first % len(rows) if rows else 0
        found.update((rows[first:] + rows[:first])[:most])
        return found, self._all

    def paid(self, names: dict[bytes, int], everything: int) -> None:
        """These are gone, unless they came to be owed once more since."""
        if self._all == everything:
            self._all = 0
        for name, at in names.items():
            if self._names.get(name) == at:
                del self._names[name]

    def put_off(self, count: int) -> None:
        """So many were refused: others come before them the next time."""
        self._first += count
