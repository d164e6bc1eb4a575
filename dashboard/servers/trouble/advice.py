"""What a person can try when a server is in trouble, and what they are told about it.

``redisops.resilience.diagnose`` says what happened in one sentence; this adds the checks of
``remedies`` with the server's own address in their commands. Commands never contain a
password: they ask for it.
"""

from __future__ import annotations

import datetime
import re
import shlex
from dataclasses import dataclass

from django.urls import reverse

from dashboard.servers.models import Server
from dashboard.servers.trouble import remedies
from redisops.resilience import Cause, Trouble


@dataclass(frozen=True)
class Step:
    """One check: the question, why it is asked, and a command to copy or a page to open."""

    question: str
    reason: str
    command: str = ""
    url: str = ""
    label: str = ""


@dataclass(frozen=True)
class Title:
    """The head of a trouble page: ``says`` follows the server's name, ``state`` is its shape."""

    says: str
    state: str = "bad"


TITLES = {
    Cause.UNREACHABLE: Title("does not answer", "unreachable"),
    Cause.TIMEOUT: Title("does not answer in time", "unreachable"),
    Cause.DEADLINE: Title("does not answer in time", "unreachable"),
    Cause.OPEN_CIRCUIT: Title("does not answer", "unreachable"),
    Cause.LOADING: Title("is loading its data", "changing"),
    Cause.BUSY: Title("is held up by a script", "warn"),
    Cause.MISCONF: Title("takes no writes: it cannot save to disk"),
    Cause.OOM: Title("takes no writes: its memory is full"),
    Cause.READONLY: Title("takes no writes: it is a replica", "warn"),
    Cause.MASTERDOWN: Title("serves nothing: it lost its primary"),
    Cause.NOPERM: Title("does not let the console do this", "warn"),
    Cause.AUTH: Title("does not accept the console's sign-in"),
    Cause.MAXCLIENTS: Title("takes no more connections"),
    Cause.WRONGTYPE: Title("holds another type under this key", "warn"),
    Cause.CLUSTERDOWN: Title("does not serve all of its slots"),
    Cause.MOVED: Title("sends the console to another node", "warn"),
    Cause.CROSSSLOT: Title("cannot do this across slots", "warn"),
    Cause.UNKNOWN_RESULT: Title("did not say whether it made the change", "unknown"),
    Cause.UNSUPPORTED: Title("cannot do this", "warn"),
    Cause.TLS: Title("cannot be reached over TLS", "unreachable"),
    Cause.DNS: Title("has a name that leads nowhere", "unreachable"),
    Cause.OTHER: Title("answered with an error"),
}
# What ends by itself or by somebody's work on the server: the page tries again meanwhile.
PASSING = {
    Cause.UNREACHABLE, Cause.TIMEOUT, Cause.DEADLINE, Cause.OPEN_CIRCUIT, Cause.LOADING,
    Cause.BUSY, Cause.MASTERDOWN, Cause.MAXCLIENTS, Cause.CLUSTERDOWN, Cause.TLS, Cause.DNS,
    Cause.AUTH, Cause.OTHER,
}  # fmt: skip


@dataclass(frozen=True)
class MissingRight:
    """What an ACL refused: a command, or a key or channel; and the rule that would allow it."""

    user: str
    what: str
    rule: str

    @property
    def line(self) -> str:
        """The whole command, ready for a Redis administrator."""
        return f"ACL SETUSER {self.user} {self.rule}"


def missing_right(detail: str, server: Server) -> MissingRight:
    """The right behind a NOPERM reply, in the words of any Redis or Valkey version."""
    named = re.search(r"[Uu]ser (\S+) has no permissions", detail)
    user = named[1] if named else server.username or "default"
    command = re.search(r"run the '([^']+)' command", detail)
    if command:
        return MissingRight(
            user, f"the command {command[1].upper().replace('|', ' ')}", f"+{command[1]}"
        )
    if "channel" in detail:
        return MissingRight(user, "this channel", "&<pattern of its channels>")
    return MissingRight(user, "this key", "~<pattern of its keys>")


def steps(trouble: Trouble, server: Server, since: datetime.datetime | None) -> list[Step]:
    """The checks for this cause, most likely first; the last is what the console can change."""
    found = [*_remedies(trouble, server)]
    if trouble.cause in remedies.ADDRESS:
        found.append(_moved(server))
    if not found:
        found.append(remedies.Remedy("What does the server say?", trouble.next_step, "{cli} INFO"))
    words = _words(server, since)
    return [_step(remedy, server, words) for remedy in found]


def _remedies(trouble: Trouble, server: Server) -> list[remedies.Remedy]:
    if trouble.cause in (Cause.UNREACHABLE, Cause.OPEN_CIRCUIT):
        if server.endpoint.path is not None:
            return remedies.UNIX
        # A host that refuses is up: asking whether it is would only cost time.
        refused = "refused" in trouble.detail.lower()
        return remedies.REFUSED if refused else remedies.UNREACHABLE
    return remedies.REMEDIES.get(trouble.cause, [])


def _moved(server: Server) -> remedies.Remedy:
    if server.is_home:
        return remedies.MOVED_HOME
    return remedies.MOVED_DECLARED if server.declared else remedies.MOVED


def _step(remedy: remedies.Remedy, server: Server, words: dict[str, str]) -> Step:
    url = label = ""
    if remedy.page == "rights":
        url, label = reverse("servers:rights", args=[server.slug]), "Check rights"
    elif remedy.page:
        url, label = reverse("servers:update", args=[server.slug]), "Edit server"
    command = remedy.command.format_map(words)
    return Step(remedy.question, remedy.reason, command, url, label)


def _words(server: Server, since: datetime.datetime | None) -> dict[str, str]:
    """What the templates of the commands name, quoted for a shell."""
    endpoint = server.endpoint
    host, port = endpoint.hosts[0] if endpoint.hosts else ("localhost", 6379)
    username = server.username or endpoint.username or ""
    cli = ["redis-cli"]
    cli += ["-s", endpoint.path] if endpoint.path is not None else ["-h", host, "-p", str(port)]
    if endpoint.encrypted:
        cli.append("--tls")
    if username:
        cli += ["--user", username, "--askpass"]
    elif server.has_secret("password") or endpoint.password:
        cli.append("--askpass")
    start = (since or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(minutes=5)
    return {
        "cli": shlex.join(cli),
        "host": shlex.quote(host),
        "port": str(port),
        "node": shlex.quote(f"{host}:{port}"),
        "path": shlex.quote(endpoint.path or ""),
        "user": shlex.quote(username or "default"),
        "since": f"{start:%H:%M}",
    }
