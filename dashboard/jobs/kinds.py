"""The kinds of work there are: each is declared once by the area that knows how to do it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from dashboard.jobs.models import Job
    from dashboard.jobs.work import Work


class Kind(ABC):
    """One kind of work. A worker calls ``step`` until it returns True, then ``finished``.

    Between two steps nothing is kept but ``work.checkpoint``, the counts and what the kind wrote
    to SQL: another process may do the next step, after any time. A step may be cut off anywhere
    by kill -9, and then runs again from the last checkpoint, with ``work.intent`` set if the cut
    came after ``work.intend``.
    """

    name: ClassVar[str] = ""
    """Code of the kind and of the action in the audit: "keys.delete"."""
    permission: ClassVar[str] = ""
    """What a person needs on the server to pause, resume or cancel it, and to start it."""
    template: ClassVar[str] = ""
    """A panel of its own on the job page; it gets ``job``, ``server`` and ``panel(job)``."""
    undo: ClassVar[bool] = False
    """Whether what it does can be taken back; said while one waits."""
    group: ClassVar[str] = "write"
    """Jobs of one group whose scopes overlap exclude each other on a server. Kinds that only read
    give another name, such as their own, or "": then they exclude nobody."""
    unit: ClassVar[str] = "key"
    """What is counted, in the singular."""
    done_word: ClassVar[str] = "done"
    """What became of a counted unit: "deleted", "listed"."""
    skipped_word: ClassVar[str] = "left out"
    """What became of a skipped unit: "already gone"."""
    bytes_word: ClassVar[str] = ""
    """What its counted bytes are: "of dumps kept for undo"."""

    def title(self, job: Job) -> str:
        """What it does, as a heading: "Delete cart:eu:2025:*"."""
        return self.name

    @abstractmethod
    def step(self, work: Work) -> bool:
        """Do one bounded piece, at most about half a second of it; True when all is done.

        Errors of a server in trouble may pass: the job waits and the step runs again. So may
        ``Interrupted``. Any other error ends the job as failed, with its words.
        """

    def finished(self, work: Work) -> None:  # noqa: B027 - most kinds have nothing to add
        """After the last step, in the transaction that ends the job. SQL only."""

    def elsewhere(self, job: Job) -> tuple[int, bytes] | None:
        """The other server (its number) and the prefix there that it writes to; None: nowhere.

        Jobs of its group on that server exclude it like those on its own, and who resumes it
        needs the permission there, too.
        """
        return None

    def notes(self, job: Job) -> list[tuple[str, str]]:
        """The rules of the job as (name, sentence), for the panel "Rules of this job"."""
        return []

    def panel(self, job: Job) -> dict[str, Any]:
        """What ``template`` is rendered with, beside ``job`` and ``server``."""
        return {}

    def result_url(self, job: Job) -> str:
        """Where what came out of it can be seen; "" when nowhere but on its page."""
        return ""


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Declare a kind; called by an area's ``AppConfig.ready()``."""
    if not kind.name or not kind.permission:
        raise ImproperlyConfigured(f"{type(kind).__name__} needs a name and a permission")
    known = _kinds.setdefault(kind.name, kind)
    if type(known) is not type(kind):
        raise ImproperlyConfigured(f'the kind of job "{kind.name}" is registered twice')


def kind_of(name: str) -> Kind:
    """The kind of that name; raises LookupError with a sentence when nobody registered it."""
    try:
        return _kinds[name]
    except KeyError:
        raise LookupError(f'this version of the console has no work called "{name}"') from None


def names_writing_elsewhere() -> list[str]:
    """The kinds that may write to another server than the job's."""
    return [name for name, kind in _kinds.items() if type(kind).elsewhere is not Kind.elsewhere]
