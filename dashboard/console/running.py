"""What people type, line by line: judged, asked about, run, audited. The first error ends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.http import HttpRequest
from redis.exceptions import RedisError, ResponseError

from dashboard.audit import record, recording
from dashboard.audit.masking import hides_values_of
from dashboard.audit.models import Result
from dashboard.console import history, own_keys, rate
from dashboard.console.keeping import Keeping
from dashboard.console.showing import Shown
from dashboard.servers.models import Server
from redisops import commands
from redisops.commands import Answer, BadLine, Commands, Limits, NodeWanted, Table, Verdict
from redisops.connection import measure
from redisops.errors import CircuitOpen, InvalidArgument, RedisopsError, UnknownResult
from redisops.resilience import diagnose

if TYPE_CHECKING:
    from dashboard.undo.models import Removal

MOST_LINES = 50
SHOWN = Limits(data=128 * 1024, elements=1_500)
# What all answers of one submission may hold; those beyond are cut to the least.
WHOLE = Limits(data=2 * SHOWN.data, elements=2 * SHOWN.elements)
LEAST = Limits(data=2 * 1024, elements=20)


@dataclass
class Outcome:
    """What became of one line.

    ``kind``: reply, error (the server's), refused, confirm, choose (a node), unknown (a write's
    answer was lost), trouble (not sent or not answered), bad (not a command line), again.
    ``removal``: what it deleted or replaced, in the recycle bin; ``unkept``: why something of it
    is not there, in a sentence.
    """

    line: str
    kind: str
    title: str = ""
    reason: str = ""
    instead: str = ""
    name: str = ""
    phrase: str = ""
    check: str = ""
    column: int = 0
    nodes: list[str] = field(default_factory=list)
    answer: Answer | None = None
    shown: Shown | None = None
    commands: int = 0
    round_trips: int = 0
    raw: str = ""
    removal: Removal | None = None
    unkept: str = ""

    @property
    def is_done(self) -> bool:
        return self.kind == "reply"

    @property
    def caret(self) -> str:
        """The line up to where it breaks, for a mark below it."""
        return " " * (self.column - 1) + "^"


class Run:
    """One submission: ``lines`` to run for the request's person, at most fifty."""

    def __init__(self, request: HttpRequest, server: Server, text: str, token: str) -> None:
        self.request = request
        self.server = server
        self.token = token
        # Not splitlines(): a value may hold what Unicode calls the end of a line.
        given = [line.strip(" \t\r") for line in text.split("\n")]
        self.given = [line for line in given if line]
        self.lines = self.given[:MOST_LINES]
        self.node = request.POST.get("node", "")[:120]
        self.typed = request.POST.get("confirm", "").strip()
        self.without_undo = request.POST.get("without_undo") == "on"
        self.outcomes: list[Outcome] = []
        self.limits = SHOWN

    @property
    def left(self) -> int:
        """Lines that were not run, because one before them was not."""
        return len(self.given) - len(self.outcomes)

    @property
    def commands(self) -> Commands:
        return Commands(
            self.server.client(), protected=self.server.protected_prefix, limits=self.limits
        )  # fmt: skip

    def _left_to_show(self) -> Limits:
        """What of the next answer is read, so that fifty long ones still make a page."""
        answers = [one.answer for one in self.outcomes if one.answer is not None]
        data = WHOLE.data - sum(one.received for one in answers)
        elements = WHOLE.elements - sum(one.reply.count for one in answers)
        return Limits(
            data=min(max(data, LEAST.data), SHOWN.data),
            elements=min(max(elements, LEAST.elements), SHOWN.elements),
        )

    def all(self) -> list[Outcome]:
        """Run them one by one; what follows an error is not run."""
        kept = self._to_keep()
        try:
            history.keep(self.request.user, self.server, kept, self.token)  # type: ignore[arg-type]
        except history.AlreadySent:
            title = "This was sent before, and is not run twice"
            again = Outcome(kept[0], "again", title, "", "Type it again if you want it again.")
            self.outcomes.append(again)
            return self.outcomes
        for line in self.lines:
            self.limits = self._left_to_show()
            wait = rate.take(self.request.user, self.server)  # type: ignore[arg-type]
            with measure() as cost:
                outcome = self._one(line) if not wait else self._too_fast(line, wait)
            outcome.commands, outcome.round_trips = cost.commands, cost.round_trips
            outcome.raw = line
            self.outcomes.append(outcome)
            if not outcome.is_done:
                break
        return self.outcomes

    def _too_fast(self, line: str, wait: int) -> Outcome:
        most = rate.most_on(self.server)
        return Outcome(
            _masked(line), "refused", "This is too fast, and was not run",
            f"One person may run {most:,} commands in {rate.WINDOW} s on {self.server.name}, so "
            "that a pasted loop does not hold up those who use it.",
            f"Go on in {wait} s. Many keys are changed as a job, on the Keys page.",
        )  # fmt: skip

    def _to_keep(self) -> list[str]:
        """The lines as history has them: without secrets, and only what could be taken apart."""
        kept = []
        for line in self.lines:
            shown = _masked(line)
            if not shown:
                break
            kept.append(shown)
        return kept

    def _one(self, line: str) -> Outcome:
        try:
            args = commands.parse(line)
        except BadLine as bad:
            return Outcome(
                line, "bad", "This line cannot be taken apart", f"{bad.words}.", column=bad.column
            )  # fmt: skip
        shown = commands.join(commands.masked(args))
        typed = self.commands  # no client is handed out while work is stopped: that is a page
        try:
            table = typed.table()
            verdict = typed.judge(args, table, str(self.server.role))
            told = self._refused(shown, args, verdict) or self._asked(shown, args, verdict)
            return told or self._run(shown, args, verdict, table)
        except (RedisError, RedisopsError) as error:
            return _trouble(shown, error)

    def _refused(self, line: str, args: list[bytes], verdict: Verdict) -> Outcome | None:
        reason, instead = verdict.reason, verdict.instead
        if verdict.allowed and verdict.reaches and own_keys.are_on(self.server):
            reason = commands.ANY_KEY
            instead = "Run it with redis-cli where the console runs, if it must be."
        elif verdict.allowed:
            too_much = self.commands.measure(verdict)
            if too_much is None:
                return None
            reason, instead = too_much
        # A mistyped name is no attempt at anything.
        if verdict.allowed or verdict.writes or verdict.needs or verdict.keys:
            self._record_refusal(args, verdict, reason)
        return Outcome(line, "refused", f"{verdict.name} was not run", reason, instead)

    def _record_refusal(self, args: list[bytes], verdict: Verdict, reason: str) -> None:
        record(
            self.request, "console.write" if verdict.writes else "console.run",
            server=self.server.slug, target=self._told(args, verdict), result="refused",
            reason=reason,
        )  # fmt: skip

    def _asked(self, line: str, args: list[bytes], verdict: Verdict) -> Outcome | None:
        """Typed again, or a node chosen, before it is sent."""
        nodes = self.commands.places()
        if nodes and verdict.is_keyless and self.node not in nodes:
            return Outcome(
                line, "choose", f"Which node should run {verdict.name}?",
                "It names no key, so the cluster cannot tell.", nodes=nodes,
            )  # fmt: skip
        if self.typed == self._phrase(verdict):
            return None
        if not verdict.confirm:
            return self._asked_for_name(line, verdict)
        reason = "It changes the server or its data as a whole and cannot be taken back here."
        return self._confirm(line, verdict, reason, commands.losses(args, verdict).beyond)

    def _asked_for_name(self, line: str, verdict: Verdict) -> Outcome | None:
        """Production asks before each write."""
        name = self.server.name
        if not verdict.writes or not self.server.is_production or self.typed == name:
            return None
        return Outcome(
            line, "confirm", f"Run {verdict.name} on {name}?", "This is production.",
            name=verdict.name, phrase=name,
        )  # fmt: skip

    def _phrase(self, verdict: Verdict) -> str:
        return f"{verdict.name} {self.server.name}"

    def _confirm(self, line: str, verdict: Verdict, reason: str, unkept: str = "") -> Outcome:
        return Outcome(
            line, "confirm", f"Run {verdict.name} on {self.server.name}?", reason,
            name=verdict.name, phrase=self._phrase(verdict), unkept=unkept,
        )  # fmt: skip

    def _run(self, line: str, args: list[bytes], verdict: Verdict, table: Table) -> Outcome:
        if not verdict.writes:
            return self._outcome(line, self.commands.execute(args, verdict, table, self.node))
        loss = commands.losses(args, verdict)
        keeping = Keeping(self.request, self.server, verdict, loss)
        unkept = keeping.hold(self.commands.redis)
        was_told = self.without_undo or (verdict.confirm and unkept == loss.beyond)
        if unkept and not (was_told and self.typed == self._phrase(verdict)):
            return self._confirm(
                line, verdict, "The recycle bin does not keep what it takes away.", unkept
            )
        outcome = self._written(line, args, verdict, table, keeping)
        outcome.removal = keeping.removal
        outcome.unkept = unkept or loss.note
        return outcome

    def _written(
        self, line: str, args: list[bytes], verdict: Verdict, table: Table, keeping: Keeping
    ) -> Outcome:
        try:
            with recording(
                self.request, "console.write", server=self.server.slug,
                target=self._told(args, verdict),
            ) as entry:  # fmt: skip
                try:
                    answer = self._sent_once(args, verdict, table)
                finally:
                    if verdict.reaches:
                        own_keys.forget()  # it may be a replica of home from now on
                if isinstance(answer, Answer) and answer.reply.is_error:
                    said = commands.hushed(answer.reply.text, args)
                    entry.result, entry.reason = Result.FAILED, said[:200]
                elif keeping.removal is not None:
                    entry.after = {"undo": keeping.removal.pk}
        except UnknownResult as error:
            check = commands.check_of(table.find(args), args, verdict)
            return Outcome(
                line, "unknown", "Nobody knows whether it was done",
                f"It was sent to {self.server.name} and the answer was lost. "
                "It may have been done. It is not sent again by itself.",
                check=check, instead=str(error),
            )  # fmt: skip
        except BaseException:
            keeping.did_nothing()
            raise
        outcome = self._outcome(line, answer)
        if outcome.is_done:
            keeping.done(self.commands.redis)
        else:
            keeping.did_nothing()
        return outcome

    def _sent_once(self, args: list[bytes], verdict: Verdict, table: Table) -> Answer | NodeWanted:
        """A write; whatever went wrong after it left, it may have been done."""
        try:
            return self.commands.execute(args, verdict, table, self.node)
        except RedisError as error:
            was_answered = isinstance(error, UnknownResult | ResponseError)
            if getattr(error, "sent", False) and not was_answered:
                raise UnknownResult(f"the answer could not be read: {error}") from error
            raise

    def _outcome(self, line: str, answer: Answer | NodeWanted) -> Outcome:
        if isinstance(answer, NodeWanted):
            return Outcome(line, "choose", "Which node should run it?", nodes=answer.nodes)
        kind = "error" if answer.reply.is_error else "reply"
        return Outcome(line, kind, answer=answer, shown=Shown(answer.reply))

    def _told(self, args: list[bytes], verdict: Verdict) -> str:
        """The command as the audit keeps it: no secrets, no values of keys that a rule hides."""
        told = commands.masked(args)
        if any(hides_values_of(key) for key in verdict.keys):
            told = [args[0], *verdict.keys[:10], b"(hidden)"]
        return commands.join(told)


def _masked(line: str) -> str:
    """A line as it may be shown: without passwords, "" when nobody can tell where they are."""
    try:
        return commands.join(commands.masked(commands.parse(line)))
    except BadLine:
        return ""


def _trouble(line: str, error: Exception) -> Outcome:
    trouble = diagnose(error)
    if isinstance(error, InvalidArgument):
        return Outcome(line, "refused", "It was not run", str(error))
    sent = "" if isinstance(error, CircuitOpen) else " It changed nothing."
    return Outcome(
        line, "trouble", "There is no answer", f"{trouble.sentence}{sent}", trouble.next_step
    )  # fmt: skip
