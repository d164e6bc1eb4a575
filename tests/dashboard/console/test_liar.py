"""A console page on a server that lies: about its commands, its help and its answers."""

from __future__ import annotations

import pytest

from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.console.conftest import PAGE, RUN
from tests.dashboard.console.liar import lying

INFO = b"redis_version:7.0.0\r\nredis_mode:standalone\r\nrole:master\r\n"
EVIL = b"</script><script>alert(1)</script><img src=x onerror=alert(1)>"
READS = [b"readonly", b"fast"]


def row(name: bytes, *rest) -> list:
    return [name, -2, READS, 1, 1, 1, [b"@read"], [], [], [], *rest]


@pytest.fixture
def answering(server):
    """``with answering({...}):`` the server Shop answers so."""
    from contextlib import contextmanager

    @contextmanager
    def make(answers):
        hello = {b"HELLO": b"!raw -ERR unknown command 'HELLO'\r\n", b"INFO": INFO,
                 b"MODULE": [], b"COMMAND": [row(b"get"), row(b"set")]}  # fmt: skip
        with lying(hello | answers) as port:
            server.nodes = f"127.0.0.1:{port}"
            server.save()
            yield

    return make


def test_a_viewer_writes_nothing_where_writes_are_called_reads(answering, outcome, viewer):
    with answering({}):
        assert outcome(viewer, "SET a b").kind == "refused"
        assert outcome(viewer, "GET a").kind in ("reply", "error")


def test_help_is_text(answering, client_for, viewer):
    docs = [b"get", [b"summary", EVIL, b"since", EVIL, b"group", EVIL, b"complexity", EVIL,
                     b"arguments", [[b"name", EVIL, b"type", b"string"]]]]  # fmt: skip
    with answering({b"COMMAND DOCS": docs}):
        page = client_for(viewer).get(PAGE, {"help": "get"})

    assert_valid_html(page)
    assert EVIL not in page.content
    assert b"&lt;img src=x" in page.content


@pytest.mark.parametrize(
    "answers",
    [
        {b"COMMAND": [[b"get", b"two", READS, b"x", 1, 1]]},
        {b"COMMAND": [[b"get"], 5, b"x", [[], [], [], [], [], []]]},
        {b"COMMAND": [[*row(b"get")[:8], [[b"begin_search", [b"type", b"index"]]]]]},
        {b"COMMAND": b"GET"},
        {b"COMMAND DOCS": [b"get", [b"arguments", 7, b"doc_flags", 3, b"subcommands", b"x"]]},
        {b"COMMAND": [[b"\xff\x00" + EVIL, -1, [EVIL], 0, 0, 0, [], [], [], []]]},
        {b"INFO": b"redis_version:\xff\r\n" + EVIL, b"MODULE": [[b"name", EVIL]]},
    ],
)
def test_a_table_that_makes_no_sense_is_no_error_of_the_console(
    answering, client_for, typing, viewer, answers
):
    with answering(answers):
        page = client_for(viewer).get(PAGE)
        run = typing(viewer, "GET a")

    assert page.status_code in (200, 503)
    assert run.status_code in (200, 503)
    assert EVIL not in page.content
    assert EVIL not in run.content


@pytest.mark.parametrize(
    "answer",
    [b"!raw ,x\r\n", b"!raw *3\r\n", b"!raw " + b"*1\r\n" * 5000, b"!raw %1\r\n*1\r\n:1\r\n:2\r\n",
     b"!raw :" + b"9" * 4200 + b"\r\n", b"!raw -" + EVIL + b"\r\n", b"!raw +" + EVIL + b"\r\n",
     b"!raw |1\r\n+a\r\n+b\r\n:1\r\n", b"!raw $2147483647\r\n" + b"x" * 200_000,
     b"!raw *2147483647\r\n" + b"*0\r\n" * 3000, b"!raw (" + b"7" * 300 + b"\r\n"],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_no_error_of_the_console(
    answering, client_for, viewer, answer
):
    ttl = [row(b"ttl")]
    with answering({b"COMMAND": ttl, b"TTL": answer}):
        run = client_for(viewer).post(RUN, {"line": "TTL a"}, headers={"HX-Request": "true"})

    assert run.status_code == 200
    assert_valid_html(run)
    assert EVIL not in run.content
    assert len(run.content) < 2_000_000
