"""What the console can say about a server that did not do what a page asked of it.

Everything here is known already or costs nothing: the breaker's memory, the last sample, the
error itself. One exception: a server that is loading still answers INFO, so it is asked how far
it is, within a second and past the breaker.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.http import HttpRequest

from dashboard.servers import clients, listing
from dashboard.servers.addresses import AddressRefused
from dashboard.servers.models import Server
from dashboard.servers.sampling.samples import Snapshot
from dashboard.servers.secrets import SecretUnreadable
from dashboard.servers.trouble import advice, memory
from dashboard.ui import navigation
from redisops.errors import UnknownResult
from redisops.resilience import Cause, Trouble, diagnose

READING = ("GET", "HEAD")
NOT_REACHED = {
    Cause.UNREACHABLE, Cause.TIMEOUT, Cause.DEADLINE, Cause.OPEN_CIRCUIT, Cause.DNS, Cause.TLS,
}  # fmt: skip


class TroubleReport:
    """One failed request, in the words of a page. Computed as far as a template asks."""

    def __init__(self, request: HttpRequest, error: BaseException, server: Server | None) -> None:
        self.request = request
        self.server = server
        self.error = error
        self.breaker = clients.breaker(server) if server is not None else None
        self.trouble = told(_behind(error) if request.method in READING else error)
        self.now = datetime.datetime.now(datetime.UTC)

    @cached_property
    def cause(self) -> Cause:
        """The cause behind an open breaker is the one that opened it."""
        return self.known.cause

    @cached_property
    def known(self) -> Trouble:
        last = self.breaker.last_error if self.breaker is not None else None
        return (
            last if self.trouble.cause is Cause.OPEN_CIRCUIT and last is not None else self.trouble
        )

    @property
    def status(self) -> int:
        return 403 if self.cause is Cause.NOPERM else 503

    @property
    def name(self) -> str:
        return self.server.name if self.server is not None else "Home"

    @property
    def title(self) -> str:
        return f"{self.name} {advice.TITLES[self.cause].says}"

    @property
    def state(self) -> str:
        return advice.TITLES[self.cause].state

    @cached_property
    def since(self) -> datetime.datetime | None:
        """When it stopped, as the sampler or the breaker saw it; None while nobody can tell."""
        failing = self.snapshot.failing if self.snapshot is not None else None
        times = [
            failing.get("since") if failing is not None and self.is_unreachable else None,
            self.breaker.opened_at if self.breaker is not None else None,
        ]
        known = [at for at in times if at]
        return datetime.datetime.fromtimestamp(min(known), datetime.UTC) if known else None

    @property
    def lasts(self) -> datetime.timedelta | None:
        if self.since is None:
            return None
        return datetime.timedelta(seconds=max(1, int((self.now - self.since).total_seconds())))

    @property
    def is_unreachable(self) -> bool:
        return self.cause in NOT_REACHED

    @property
    def sentence(self) -> str:
        return self.known.sentence

    @property
    def effect(self) -> str:
        """What became of the request: shown pages are never guessed, changes are never vague."""
        if self.request.method in READING:
            return f"{self.area} cannot be shown; nothing here is guessed."
        if self.cause is Cause.UNKNOWN_RESULT:
            return "The change was sent and may have been made. It is not sent again by itself."
        if self.trouble.sent is False or self.cause not in NOT_REACHED:
            return "The change was not made."
        return "The change was not finished."

    @cached_property
    def area(self) -> str:
        """The page's name on the side, such as "Keys"."""
        for group in navigation.groups(self.request, self.server):
            for link in group.links:
                if link.is_current:
                    return link.label
        return "This page"

    @property
    def is_retried(self) -> bool:
        """Whether the page looks again by itself: only what was read, only what can pass."""
        return self.request.method == "GET" and self.cause in advice.PASSING

    @property
    def wait(self) -> int:
        """Milliseconds until looking again may find something new: when the next probe may go."""
        probe = self.breaker.retry_after if self.breaker is not None else 0.0
        return int(1000 * min(probe + 0.1, 2.0)) if probe else 1500

    @cached_property
    def steps(self) -> list[advice.Step]:
        if self.server is None or isinstance(self.error, SecretUnreadable):
            return []
        return advice.steps(self.known, self.server, self.since)

    @cached_property
    def snapshot(self) -> Snapshot | None:
        """The sampler's last look; None when there was none, or home is away."""
        if self.server is None or self.server.pk is None:
            return None
        return listing.last_looks([self.server]).get(self.server.pk)

    @cached_property
    def facts(self) -> list[memory.Fact]:
        if self.server is None:
            return []
        return memory.facts(self.server, self.known, self.snapshot, self.breaker)

    @cached_property
    def tries(self) -> memory.Tries | None:
        return memory.tries(self.snapshot) if self.is_unreachable else None

    @cached_property
    def right(self) -> advice.MissingRight | None:
        """The ACL right that was missing, if that was it."""
        if self.cause is not Cause.NOPERM or self.server is None:
            return None
        return advice.missing_right(self.known.detail, self.server)

    @cached_property
    def progress(self) -> dict[str, Any] | None:
        """How far loading is: percent, bytes, and seconds left; None if it is not loading."""
        if self.cause is not Cause.LOADING or self.server is None:
            return None
        return clients.loading(self.server)

    def as_json(self) -> dict[str, Any]:
        found = {
            "error": self.title,
            "cause": str(self.cause),
            "sentence": self.sentence,
            "effect": self.effect,
            "next_step": self.known.next_step,
            "detail": self.known.detail,
            "server": self.server.slug if self.server is not None else "home",
            "since": self.since.isoformat() if self.since is not None else None,
        }
        return {key: value for key, value in found.items() if value}


def _behind(error: BaseException) -> BaseException:
    """A page that only looks made no change that could be unknown: what broke the link counts."""
    cause = error.__cause__ or error.__context__
    return cause if isinstance(error, UnknownResult) and cause is not None else error


def told(error: BaseException) -> Trouble:
    """The error as a Trouble; a secret that does not open is trouble of the console's own."""
    if isinstance(error, SecretUnreadable):
        return Trouble(
            Cause.AUTH,
            "The console cannot decrypt this server's password.",
            str(error),
            str(error),
            sent=False,
        )
    for one in (error, error.__cause__):  # asyncio connections wrap what they meet
        if isinstance(one, AddressRefused):
            words = "The console may not connect to this address."
            return Trouble(Cause.UNREACHABLE, words, str(one), str(one), sent=False)
    trouble = diagnose(error)
    if trouble.cause is Cause.TIMEOUT and "TLS handshake" in trouble.detail:
        # It accepted and waits for words it understands: nearly always a port without TLS.
        return replace(trouble, cause=Cause.TLS)
    return trouble
