"""What a check says, what each kind of it finds, and how a result is kept."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from dashboard.services.checks.asking import ask
from dashboard.services.checks.exchange import Exchange
from dashboard.services.checks.spec import Check
from redisops.connection import connect
from redisops.errors import InvalidArgument
from redisops.services import Registration, Registry
from redisops.services.results import Result, Results, result
from tests.dashboard.services.checking import (
    HTTP,
    Handler,
    answering,
    both_ways,
    healthy,
    listen,
    silent,
)
from tests.servers.certificates import Certificates


def test_a_check_says_what_it_does_and_refuses_what_it_is_not() -> None:
    check = Check(path="/healthz", expect="200-299,404", body="ok", warn_ms=500, port=81)

    assert Check.of(check.as_dict()) == check
    assert check.sentence == (
        "GET /healthz is sent over HTTP on port 81 every 10 s, 2 s at most for all of it. It "
        "passes with status 200 to 299, 404 and “ok” in the body. Warning: slower than 500 ms."
    )
    for wrong in (
        {"kind": "icmp"}, {"path": "http://169.254.169.254/"}, {"path": "/a\r\nHost: b"},
        {"host": "a\r\nX: y"}, {"header": "A\r\nB: c"}, {"timeout": 11}, {"interval": float("nan")},
        {"port": True}, {"url": "/"}, {"verify": 1}, {"expect": "200-"}, {"interval": "10"},
    ):  # fmt: skip
        with pytest.raises(InvalidArgument):
            Check.of(wrong)


def test_a_result_is_kept_for_who_is_registered_and_foreign_ones_are_left_out(target: Any) -> None:
    with connect(target.url) as redis:
        Registry(redis).register(Registration("shop", "a", "127.0.0.1", 1))
        told = Result(12.5, "fail", 3.25, "HTTP 503", {"status": 503})
        refused = Results(redis).record({"shop": {"a": told, "ghost": told}})
        with target.client() as plain:
            plain.hset("svc:{shop}:chk", "b", b"[1,2,3]")
            plain.hset("svc:{shop}:chk", "c", b"[" * 5000)

        assert (refused, Results(redis).read("shop")) == ([], {"a": told})
        assert Results(redis).read_all(["shop", "none"]) == {"shop": {"a": told}, "none": {}}
    assert [result(raw) for raw in (b'[1,1,"pass",NaN,"",{}]', b'[1,true,"pass",1,"",{}]')] == [
        None, None,
    ]  # fmt: skip


def test_what_each_kind_finds(loopback: None, target: Any, tmp_path: Path) -> None:
    big = f"HTTP/1.1 200 OK\r\nX: {'x' * 9000}\r\n\r\n"
    chunked = (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    )
    cases: list[tuple[Handler, Check, str, str]] = [
        (answering(HTTP), Check(body="ell", header="X-Ready: yes"), "pass", "HTTP 200"),
        (answering(chunked), Check(body="hello"), "pass", "HTTP 200"),
        (answering(HTTP), Check(body="bye"), "fail", "does not contain"),
        (answering(HTTP), Check(header="X-Ready: no"), "fail", "X-Ready is 'yes'"),
        (answering(HTTP), Check(warn_ms=1, timeout=5), "warn|pass", ""),
        (answering("HTTP/1.1 503 No\r\n\r\n"), Check(), "fail", "HTTP 503"),
        (answering("HTTP/1.1 429 Wait\r\n\r\n"), Check(), "warn", "429"),
        (answering("HTTP/1.1 302 Go\r\nLocation: /b\r\n\r\n"), Check(), "fail", "HTTP 302"),
        (answering(big), Check(), "fail", "above 8 KB"),
        (answering("\0\0\r\n\r\n"), Check(), "fail", "not HTTP"),
        (answering(""), Check(), "fail", "closed without"),
        (silent, Check(timeout=0.3), "fail", "connected, but no answer"),
        (silent, Check(kind="tcp"), "pass", "port open"),
        (answering("+PONG\r\n"), Check(kind="grpc", timeout=0.3), "fail", ""),
        (healthy, Check(kind="grpc", path="shop.Cart"), "pass", "SERVING"),
        (healthy, Check(kind="redis", timeout=0.3), "fail", ""),
    ]
    paths = Certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(paths.path("server.crt"), paths.path("server.key"))

    async def run() -> None:
        for handler, check, state, why in cases:
            server, port = await listen(handler)
            for outcome in await both_ways(check, port):
                assert outcome.state in state.split("|"), (check, outcome)
                assert why in outcome.why and outcome.connected, (check, outcome)
            server.close()
        for closed in await both_ways(Check(), port):
            assert (closed.state, closed.connected) == ("refused", True)
        pong = await ask(Check(kind="redis"), "127.0.0.1", target.port)
        assert (pong.state, pong.why) == ("pass", "PONG")
        server, port = await listen(answering(HTTP), ssl=tls)
        log = Exchange()
        seen = await ask(
            Check(kind="https", verify=False, certificate_days=0), "localhost", port, log
        )
        assert seen.state == "pass" and "certificate_days" in seen.detail, seen
        assert [line.what.split()[0] for line in log.lines[-5:]] == [
            "TLSv1.3,", "Sent", "Came", "Body,", "Result:",
        ]  # fmt: skip
        assert "not valid" in (await ask(Check(kind="https"), "127.0.0.1", port)).why
        server.close()

    asyncio.run(run())
