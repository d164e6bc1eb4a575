"""Look through an uploaded file before anything is written: the dry run of an import.

What it found is kept as ``Archive.facts``: ``keys``, ``types`` {name: keys}, ``expiring``,
``expired``, ``own`` (the console's), ``taken``, ``taken_names`` and ``names`` (samples, base64url),
``odd`` (names with bytes that no text shows), ``dropped``, ``largest`` [name, bytes], ``start``
(what all names begin with), ``server`` (the header's), ``made`` (Unix ms), ``old`` and ``new`` (the
prefixes that names were looked up with).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from django.http import HttpRequest

from dashboard.jobs import starting
from dashboard.jobs.kinds import Kind
from dashboard.keys.bulk.timing import Clock, paced
from dashboard.keys.transfer import keeping, vault
from dashboard.keys.transfer.models import Archive
from dashboard.servers.secrets import SecretUnreadable
from redisops.archives import DUMP, Damaged, Dropped, DumpReader, LinesReader, Part
from redisops.bulk import Bulk
from redisops.dumps import Dumps
from redisops.keys import from_url, printable, to_url

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work

MOST, BYTES = 500, 4 * 1024 * 1024  # records, and bytes of the file, in memory at once
SAMPLES, ODD = 12, 6
LONGEST_KEPT = 1_024


def look(
    request: HttpRequest, archive: Archive, *, rename: tuple[bytes, bytes] | None = None
) -> Job:
    """Begin to look through the file, and which of its names are taken on the server now."""
    old, new = rename or (b"", b"")
    params = {
        "archive": archive.pk, "label": archive.name, "old": to_url(old), "new": to_url(new),
    }  # fmt: skip
    with transaction.atomic():
        job = starting.start(request, archive.server, "keys.look_import", params)
        values = {"job_id": job.pk, "state": Archive.State.OPEN, "problem": "", "facts": {}}
        Archive.objects.filter(pk=archive.pk).update(**values)
    return job


def reader_of(archive: Archive, state: dict[str, Any] | None) -> Any:
    """A reader that stands where ``state`` says; the header is read by whoever begins."""
    file = vault.opened(archive, state["at"] if state else 0)
    return (DumpReader if archive.format == DUMP else LinesReader)(file, state)


def renamed(key: bytes, params: dict[str, Any]) -> bytes:
    """The name that a key gets: its old prefix replaced, if it has that one."""
    old, new = from_url(params["old"]), from_url(params["new"])
    return new + key[len(old) :] if key.startswith(old) else key


class LookImport(Kind):
    """Reads the whole file once, with its checksums, and asks EXISTS of every name."""

    name: ClassVar[str] = "keys.look_import"
    permission: ClassVar[str] = "keys.import"
    group: ClassVar[str] = ""
    done_word: ClassVar[str] = "looked at"
    bytes_word: ClassVar[str] = "of the file read"

    def title(self, job: Job) -> str:
        return f"Look through {job.params['label']}"[:300]

    def result_url(self, job: Job) -> str:
        found = Archive.objects.filter(pk=job.params["archive"]).select_related("server").first()
        return found.file_url if found else ""

    def step(self, work: Work) -> bool:
        archive = keeping.of(work.params["archive"])
        at = work.checkpoint
        clock = Clock()
        try:
            reader = reader_of(archive, at.get("reader"))
            if "reader" not in at:
                self._begin(work, reader)
            is_over = False
            while not is_over and not clock.is_over:
                is_over = self._some(work, reader)
        except (Damaged, vault.FileLost, SecretUnreadable) as error:
            work.log(f"Refused: {error}")
            words = {"state": Archive.State.REFUSED, "problem": f"{error}"[:500]}
            work.also(keeping.keep_written(archive, **words))
            at["refused"] = True
            return True
        at["reader"] = reader.state
        return is_over

    def finished(self, work: Work) -> None:
        if work.checkpoint.get("refused"):
            return
        facts = work.checkpoint["facts"]
        archive = keeping.of(work.params["archive"])
        archive.facts, archive.keys, archive.state = facts, facts["keys"], Archive.State.READY
        archive.save(update_fields=["facts", "keys", "state"])

    def _begin(self, work: Work, reader: Any) -> None:
        header = reader.header()
        work.checkpoint["facts"] = {
            "keys": 0, "types": {}, "expiring": 0, "expired": 0, "own": 0, "taken": 0,
            "taken_names": [], "names": [], "odd": [], "dropped": 0, "largest": None,
            "start": None, "server": header.server, "made": header.created, "unknown": 0,
            "old": work.params["old"], "new": work.params["new"],
        }  # fmt: skip
        with paced(work, 1):
            work.checkpoint["now"] = Dumps(work.redis).now()

    def _some(self, work: Work, reader: Any) -> bool:
        """Some records; True at the end of the file."""
        facts = work.checkpoint["facts"]
        begun = reader.state["at"]
        firsts: list[Part] = []
        for _ in range(MOST):
            found = reader.next()
            if found is None:
                break
            self._measure(work, found, facts)
            if isinstance(found, Dropped):
                facts["dropped"] += 1
            elif found.number == 1:
                firsts.append(found._replace(value=b""))
            if reader.state["at"] - begun > BYTES:
                break
        else:
            found = firsts
        work.count(bytes=reader.state["at"] - begun)
        self._count(work, firsts, facts)
        return found is None

    def _measure(self, work: Work, found: Part | Dropped, facts: dict[str, Any]) -> None:
        """The largest key, by what its parts hold."""
        if isinstance(found, Dropped):
            work.checkpoint["held"] = 0
            return
        size = _size(found)
        held = size + (work.checkpoint.get("held", 0) if found.number > 1 else 0)
        work.checkpoint["held"] = held
        if found.is_last and (facts["largest"] is None or held > facts["largest"][1]):
            facts["largest"] = [to_url(found.key[:LONGEST_KEPT]), held]

    def _count(self, work: Work, firsts: list[Part], facts: dict[str, Any]) -> None:
        if not firsts:
            return
        types = Counter(part.type for part in firsts)
        for name, keys in types.items():
            facts["types"][name] = facts["types"].get(name, 0) + keys
        facts["keys"] += len(firsts)
        names = [renamed(part.key, work.params) for part in firsts]
        facts["expiring"] += sum(part.expires_at is not None for part in firsts)
        now = work.checkpoint["now"]
        facts["expired"] += sum((part.expires_at or now + 1) <= now for part in firsts)
        own = {name for name in names if work.server.protects(name)}
        facts["own"] += sum(name in own for name in names)
        with paced(work, len(names)):
            there = Bulk(work.redis).exist(names)
        taken = [n for n, is_there in zip(names, there, strict=True) if is_there and n not in own]
        facts["taken"] += len(taken)
        facts["unknown"] += sum(is_there is None for is_there in there)
        _sample(facts["taken_names"], taken, SAMPLES)
        _sample(facts["names"], names, SAMPLES)
        _sample(facts["odd"], [name for name in names if "\\" in printable(name)], ODD)
        facts["start"] = to_url(_start(names, facts["start"]))
        work.count(done=len(firsts))


def _size(part: Part) -> int:
    """About how many bytes a part's value holds."""
    if isinstance(part.value, bytes):
        return len(part.value)
    return sum(_bytes_of(element) for element in part.value)


def _bytes_of(element: Any) -> int:
    if isinstance(element, bytes | str):
        return len(element)
    return 8 if isinstance(element, float) else sum(map(_bytes_of, element))


def _sample(kept: list[str], names: list[bytes], most: int) -> None:
    kept += [to_url(name) for name in names[: most - len(kept)] if len(name) <= LONGEST_KEPT]


def _start(names: list[bytes], before: str | None) -> bytes:
    """What all names begin with."""
    some = [*names, *([from_url(before)] if before is not None else [])]
    low, high = min(some), max(some)
    same = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    return low[: min(same, LONGEST_KEPT)]
