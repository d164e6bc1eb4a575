"""Where checks never connect to, whatever somebody registers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from dashboard.home import networks
from dashboard.services.checks import targets
from dashboard.services.checks.exchange import Outcome
from dashboard.services.checks.spec import Check
from tests.dashboard.services.checking import (
    both_ways,
)


@pytest.mark.django_db
def test_no_check_connects_to_what_is_not_allowed(
    server: Any, settings: Any, monkeypatch: Any
) -> None:
    """Every vector against listeners that count who connects; nobody ever does."""
    listeners = []
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
        made = socket.socket(family, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):  # a machine without IPv6
            made.bind((host, listeners[0].getsockname()[1] if listeners else 0))
            made.listen(64)
            made.setblocking(False)
            listeners.append(made)
    port = listeners[0].getsockname()[1]
    own = int(server.nodes.rpartition(":")[2])
    everywhere = ["0.0.0.0/0", "::/0"]
    vectors: list[tuple[list[str], str, int]] = [
        *((everywhere, host, port) for host in (
            "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.0.0.2",
            "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1", "::ffff:7f00:1",
            "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::",
            "2001:0:4136:e378:8000:63bf:80ff:fffe", "0.0.0.0", "0", "::", "10.0.0.1", "192.168.1.1",
            "172.16.0.1", "100.64.0.1", "fd00::1", "fec0::1", "169.254.169.254", "2852039166",
            "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "fe80::1%lo",
            "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1", "ff02::1",
            "255.255.255.255", "240.0.0.1", "user@127.0.0.1", "127.0.0.1/", "127.0.0.1:80",
            "a.b\r\nHost: c", "unix:/run/redis.sock", "/run/redis.sock", "１２７.0.0.1",
            "127.0.0.1%00.example",
        )),
        *((["127.0.0.0/8", "::1/128"], host, own) for host in (
            "127.0.0.1", "127.0.0.2", "localhost", "2130706433", "::ffff:127.0.0.1", "::1",
        )),
        (["127.0.0.0/8"], "127.0.0.1", 6379), (["127.0.0.0/8"], "127.0.0.1", 0),
        (["127.0.0.0/8"], "127.0.0.1", 70000), ([], "127.0.0.1", port), ([], "192.0.2.1", port),
    ]  # fmt: skip

    async def vector(host: str, port: int) -> list[Outcome]:
        return await both_ways(Check(timeout=5), port, host)

    quickly = 0
    for allowed, host, at in vectors:
        settings.CHECK_NETWORKS = networks(allowed)
        targets.look(again=True)
        outcomes = asyncio.run(vector(host, at))
        quickly += len(outcomes) - 1
        for outcome in outcomes:
            assert outcome.own and outcome.detail["refused"], (host, at, outcome)
            assert not outcome.connected
    assert len(vectors) >= 50 and quickly >= 30
    for made in listeners:
        with pytest.raises(BlockingIOError):
            made.accept()

    # One name with two addresses, and one that leads elsewhere the second time it is asked for.
    settings.CHECK_NETWORKS = networks(["127.0.0.2/32"])
    targets.look(again=True)
    answers = [["127.0.0.2", "127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]]

    def resolve(host: str, *args: Any, **options: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (one, port)) for one in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert asyncio.run(vector("two.example", port))[0].detail["refused"]
    assert len(answers) == 2
    assert targets.resolve("rebinds.example", port) == ["127.0.0.2"]
    with pytest.raises(targets.Refused):
        targets.resolve("rebinds.example", port)
    for made in listeners:
        with pytest.raises(BlockingIOError):
            made.accept()
        made.close()
