"""Every error of a Redis call as a cause, one sentence and one next step.

``diagnose`` is the only place that knows how redis-py and the servers spell their errors.
The order of its questions matters: ``BusyLoadingError`` and ``AuthenticationError`` are
subclasses of ``ConnectionError``, ``MovedError`` of ``AskError``, ``MasterDownError`` of
``ClusterDownError``, and BUSY, MISCONF, WRONGTYPE and CROSSSLOT arrive as plain
``ResponseError`` that only their first word tells apart.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import redis
from redis import exceptions as answers
from redis.sentinel import MasterNotFoundError, SlaveNotFoundError

from redisops.errors import CircuitOpen, DeadlineExceeded, NotSupported, UnknownResult
from redisops.resilience.words import WORDS, Cause


@dataclass(frozen=True)
class Trouble:
    """One error in words: what happened, what to do next, and what Redis said.

    ``detail`` is Redis's or the system's own words, verbatim but for secrets. ``sent`` says
    whether the command left this process (None: not known). ``retry_after`` is in seconds.
    """

    cause: Cause
    sentence: str
    next_step: str
    detail: str
    sent: bool | None = None
    retry_after: float | None = None


# The first word of an error reply, for the classes that do not tell it.
_PREFIXES = {
    "BUSY": Cause.BUSY,
    "UNKILLABLE": Cause.BUSY,
    "MISCONF": Cause.MISCONF,
    "OOM": Cause.OOM,
    "READONLY": Cause.READONLY,
    "MASTERDOWN": Cause.MASTERDOWN,
    "LOADING": Cause.LOADING,
    "NOPERM": Cause.NOPERM,
    "NOAUTH": Cause.AUTH,
    "WRONGPASS": Cause.AUTH,
    "DENIED": Cause.AUTH,
    "WRONGTYPE": Cause.WRONGTYPE,
    "CLUSTERDOWN": Cause.CLUSTERDOWN,
    "MOVED": Cause.MOVED,
    "ASK": Cause.MOVED,
    "TRYAGAIN": Cause.MOVED,
    "CROSSSLOT": Cause.CROSSSLOT,
    "NOPROTO": Cause.UNSUPPORTED,
}

# Of what a script does, not of running it: Redis 7.2 and Valkey, then Redis before.
_NOT_IN_SCRIPTS = ("acl failure in script", "the user executing the script can't")

# First match wins, so a subclass stands before its base.
_CLASSES: tuple[tuple[type[BaseException], Cause], ...] = (
    (CircuitOpen, Cause.OPEN_CIRCUIT),
    (DeadlineExceeded, Cause.DEADLINE),
    (UnknownResult, Cause.UNKNOWN_RESULT),
    (NotSupported, Cause.UNSUPPORTED),
    (answers.BusyLoadingError, Cause.LOADING),
    (answers.AuthenticationError, Cause.AUTH),
    (answers.AuthorizationError, Cause.AUTH),
    (answers.ExternalAuthProviderError, Cause.AUTH),
    (answers.AuthenticationWrongNumberOfArgsError, Cause.AUTH),
    (answers.MaxConnectionsError, Cause.MAXCLIENTS),
    (answers.NoPermissionError, Cause.NOPERM),
    (answers.OutOfMemoryError, Cause.OOM),
    (answers.ReadOnlyError, Cause.READONLY),
    (answers.MasterDownError, Cause.MASTERDOWN),
    (answers.ClusterCrossSlotError, Cause.CROSSSLOT),
    (answers.CrossSlotTransactionError, Cause.CROSSSLOT),
    (answers.AskError, Cause.MOVED),
    (answers.TryAgainError, Cause.MOVED),
    (answers.ClusterError, Cause.CLUSTERDOWN),
    (answers.SlotNotCoveredError, Cause.CLUSTERDOWN),
)

_SECRETS = (
    # An unknown command is echoed with its arguments, a renamed AUTH with its password.
    (
        re.compile(
            r"(?i)(\b(?:AUTH|HELLO|ACL|CONFIG|MIGRATE|SENTINEL)\b.*?with args beginning with:).*",
            re.DOTALL,
        ),
        r"\1 …",
    ),
    (re.compile(r"(//)[^/@\s]*@"), r"\1…@"),
    (re.compile(r"(?i)\b(requirepass|masterauth|password|passwd|pwd)(\s*[=:]\s*)\S+"), r"\1\2…"),
)


def diagnose(error: BaseException) -> Trouble:
    """The one sentence and next step for any error of a Redis call. Sends nothing."""
    cause = cause_of(error)
    sentence, next_step = WORDS[cause]
    detail = words_of(error)
    if isinstance(error, answers.MaxConnectionsError):
        sentence = "All connections that this process keeps to the server are in use."
        next_step = "Wait a moment; if it lasts, give the client a higher max_connections."
    elif isinstance(error, MasterNotFoundError | SlaveNotFoundError):
        sentence = "Sentinel names no healthy primary for this service."
        next_step = "Check the service's name and SENTINEL MASTERS; a failover takes seconds."
    elif cause is Cause.OTHER and not isinstance(error, redis.RedisError):
        sentence = "Something other than Redis went wrong."
        next_step = "Look into the log of this process."
    elif isinstance(error, NotSupported):
        sentence = "This server cannot do this."
    elif cause is Cause.AUTH and detail.startswith("NOAUTH"):
        sentence = "Redis wants a password, and this connection gives none."
        next_step = "Give the password of this server, and the name of its ACL user if it has one."
    says_nothing_else = isinstance(error, UnknownResult) and detail.startswith("the reply was lost")
    if (isinstance(error, CircuitOpen) or says_nothing_else) and isinstance(
        error.__cause__, Exception
    ):
        detail = words_of(error.__cause__)
    return Trouble(
        cause=cause,
        sentence=sentence,
        next_step=next_step,
        detail=detail,
        sent=_was_sent(error),
        retry_after=getattr(error, "retry_after", 2.0 if cause is Cause.LOADING else None),
    )


def cause_of(error: BaseException) -> Cause:
    """The cause alone."""
    for kind, cause in _CLASSES:
        if isinstance(error, kind):
            return cause
    if isinstance(error, redis.RedisError | answers.RedisClusterException):
        told = _cause_by_words(error)
        if told is not None:
            return told
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return Cause.TIMEOUT
    if isinstance(error, redis.ConnectionError | answers.RedisClusterException | OSError):
        return _cause_of_broken_link(error)
    return Cause.OTHER


def words_of(error: BaseException) -> str:
    """What Redis or the system said, with the reply's first word put back and secrets taken out."""
    words = str(error.args[0]) if error.args else type(error).__name__
    code = getattr(error, "status_code", None)
    if code and not words.startswith(f"{code} "):
        words = f"{code} {words}"
    for pattern, replacement in _SECRETS:
        words = pattern.sub(replacement, words)
    return words


def is_reply(error: BaseException) -> bool:
    """Whether the server itself said this: the command reached it and the answer came back."""
    if getattr(error, "status_code", None) is not None:
        return True
    return isinstance(error, redis.ResponseError) and not isinstance(error, redis.ConnectionError)


def is_lost(error: BaseException) -> bool:
    """Whether no answer came (broken link, timeout, deadline): a sent command may have run."""
    if is_reply(error) or isinstance(error, CircuitOpen | answers.MaxConnectionsError):
        return False
    return isinstance(
        error,
        redis.ConnectionError | redis.TimeoutError | answers.InvalidResponse | OSError,
    )


# What says that the server is unwell, so that asking it again at once costs more than it brings.
_UNWELL = frozenset(
    {
        Cause.UNREACHABLE, Cause.TIMEOUT, Cause.DNS, Cause.TLS, Cause.LOADING,
        Cause.MAXCLIENTS, Cause.MASTERDOWN, Cause.UNKNOWN_RESULT, Cause.DEADLINE,
    }
)  # fmt: skip


def is_unwell(error: BaseException) -> bool:
    """Whether a circuit breaker counts this error: never WRONGTYPE, NOPERM, auth and the like."""
    return cause_of(error) in _UNWELL and not isinstance(error, answers.MaxConnectionsError)


def _cause_by_words(error: BaseException) -> Cause | None:
    words = words_of(error)
    told = _PREFIXES.get(words.split(" ", 1)[0])
    if told is not None:
        return told
    lowered = words.lower()
    if "max number of clients" in lowered:
        return Cause.MAXCLIENTS
    if any(said in lowered for said in _NOT_IN_SCRIPTS):
        return Cause.NOPERM
    if "unknown command" in lowered or "unknown subcommand" in lowered:
        return Cause.UNSUPPORTED
    if "slots are not covered" in lowered or ("slot" in lowered and "not covered" in lowered):
        return Cause.CLUSTERDOWN
    return None


def _cause_of_broken_link(error: BaseException) -> Cause:
    for link in _chain(error):
        if isinstance(link, ssl.SSLError):
            return Cause.TLS
        if isinstance(link, socket.gaierror):
            return Cause.DNS
        if isinstance(link, redis.TimeoutError | TimeoutError):
            return Cause.TIMEOUT
    return Cause.UNREACHABLE


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _was_sent(error: BaseException) -> bool | None:
    told: bool | None = getattr(error, "sent", None)
    if told is not None:
        return told
    if isinstance(error, UnknownResult) or is_reply(error):
        return True
    return False if isinstance(error, CircuitOpen | NotSupported) else None
