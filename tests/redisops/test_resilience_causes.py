"""Every error as a cause, a sentence and a next step, and never a secret."""

from __future__ import annotations

import re
import socket
import ssl

import pytest
import redis
from redis import exceptions as answers
from redis.sentinel import MasterNotFoundError

from redisops.errors import CircuitOpen, DeadlineExceeded, NotSupported, UnknownResult
from redisops.resilience import Cause, diagnose
from redisops.resilience.words import WORDS


def replied(line: str) -> Exception:
    """The exception that redis-py makes of an error reply."""
    from redis._parsers.base import BaseParser

    return BaseParser.parse_error(line)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("LOADING Valkey is loading the dataset in memory", Cause.LOADING),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL", Cause.BUSY),
        ("UNKILLABLE Sorry the script already executed write commands", Cause.BUSY),
        ("MISCONF Redis is configured to save RDB snapshots, but it's unable to", Cause.MISCONF),
        ("OOM command not allowed when used memory > 'maxmemory'.", Cause.OOM),
        ("READONLY You can't write against a read only replica.", Cause.READONLY),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is", Cause.MASTERDOWN),
        ("NOPERM User narrow has no permissions to run the 'set' command", Cause.NOPERM),
        ("NOAUTH Authentication required.", Cause.AUTH),
        ("WRONGPASS invalid username-password pair or user is disabled.", Cause.AUTH),
        ("DENIED Redis is running in protected mode", Cause.AUTH),
        ("ERR max number of clients reached", Cause.MAXCLIENTS),
        ("ERR max number of clients + cluster connections reached", Cause.MAXCLIENTS),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", Cause.WRONGTYPE),
        ("CLUSTERDOWN The cluster is down", Cause.CLUSTERDOWN),
        ("MOVED 3999 127.0.0.1:6381", Cause.MOVED),
        ("ASK 3999 127.0.0.1:6381", Cause.MOVED),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Cause.MOVED),
        ("CROSSSLOT Keys in request don't hash to the same slot", Cause.CROSSSLOT),
        ("ERR unknown command 'HEXPIRE', with args beginning with: 'k' ", Cause.UNSUPPORTED),
        ("ERR unknown subcommand 'x'. Try XINFO HELP.", Cause.UNSUPPORTED),
        ("ERR syntax error", Cause.OTHER),
        ("EXECABORT Transaction discarded because of previous errors.", Cause.OTHER),
    ],
)
def test_each_reply_has_its_cause_and_is_kept_word_for_word(line, cause):
    trouble = diagnose(replied(line))

    assert trouble.cause is cause
    assert trouble.detail == line
    assert trouble.sent is True


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (redis.ConnectionError("Connection closed by server."), Cause.UNREACHABLE),
        (redis.TimeoutError("Timeout reading from socket"), Cause.TIMEOUT),
        (TimeoutError("timed out"), Cause.TIMEOUT),
        (ConnectionRefusedError(111, "Connection refused"), Cause.UNREACHABLE),
        (caused(redis.ConnectionError("x"), socket.gaierror(-2, "not known")), Cause.DNS),
        (caused(redis.ConnectionError("x"), ssl.SSLCertVerificationError(1, "bad")), Cause.TLS),
        (caused(redis.ConnectionError("x"), redis.TimeoutError("y")), Cause.TIMEOUT),
        (UnknownResult("x"), Cause.UNKNOWN_RESULT),
        (caused(UnknownResult("x"), redis.TimeoutError("y")), Cause.UNKNOWN_RESULT),
        (DeadlineExceeded("x"), Cause.DEADLINE),
        (CircuitOpen("x"), Cause.OPEN_CIRCUIT),
        (NotSupported("x"), Cause.UNSUPPORTED),
        (MasterNotFoundError("no primary for 'shop'"), Cause.UNREACHABLE),
        (answers.MaxConnectionsError("all in use"), Cause.MAXCLIENTS),
        (answers.SlotNotCoveredError("Slot 1 is not covered"), Cause.CLUSTERDOWN),
        (answers.CrossSlotTransactionError("x"), Cause.CROSSSLOT),
        (answers.RedisClusterException("Redis Cluster cannot be connected."), Cause.UNREACHABLE),
        (ValueError("x"), Cause.OTHER),
    ],
)
def test_errors_without_a_reply_have_their_cause(error, cause):
    assert diagnose(error).cause is cause


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_has_one_sentence_and_one_step_in_plain_words(cause):
    sentence, step = WORDS[cause]

    for words in (sentence, step):
        assert re.fullmatch(r"[A-Z][^!]*\.", words)
        assert "Oops" not in words and "failed" not in words and "sorry" not in words.lower()
        assert len(words) <= 110
    assert len(re.findall(r"\.( |$)", sentence)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "ERR unknown command 'AUTH', with args beginning with: 'app' 'hunter2' ",
        "ERR unknown command `auth`, with args beginning with: `hunter2`, ",
        "ERR unknown command 'HELLO', with args beginning with: '2' 'AUTH' 'app' 'hunter2' ",
        "ERR cannot reach redis://app:hunter2@db:6379",
        "ERR bad option requirepass=hunter2",
        "ERR masterauth: hunter2",
    ],
)
def test_no_detail_shows_a_secret(line):
    trouble = diagnose(replied(line))

    assert "hunter2" not in str(trouble)
    assert "…" in trouble.detail


def test_an_unknown_commands_arguments_are_shown_when_they_are_no_secret():
    line = "ERR unknown command 'HEXPIRE', with args beginning with: 'key' '10' "

    assert diagnose(replied(line)).detail == line


def test_a_loading_server_says_when_to_come_back():
    assert diagnose(replied("LOADING x")).retry_after == 2.0
