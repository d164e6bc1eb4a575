"""The shop: lives through a restart, stays below its prefix, and goes without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.core.management import CommandError, call_command

from demo.names import SERVICES as names_of_shop
from demo.remove import NotOurs, remove, still_running
from redisops.connection import connect
from redisops.limits import Document, Policy, Use, publish
from redisops.services import Registration, Registry
from tests.run.conftest import until
from tests.servers import RedisProcess

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICES = {
    "catalog", "orders", "packing", "payments", "mailer", "players", "customers", "fleet",
}  # fmt: skip


@pytest.fixture
def own_server() -> Iterator[RedisProcess]:
    with RedisProcess() as server:
        yield server


@pytest.fixture
def shop(own_server: RedisProcess) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT, env={**os.environ, "DEMO_REDIS_URL": own_server.url},
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process
        process.kill()


def refusals(use: Use) -> int:
    return sum(row[2] for row in use.series("one-order", 3600))


def types_of(client: redis.Redis) -> set[bytes]:
    return {client.type(key) for key in client.scan_iter(count=1000)}


def connected(client: redis.Redis) -> set[str]:
    """The shop's services that have a connection."""
    return {row["name"].removeprefix("shop-") for row in client.client_list()}


def groups(client: redis.Redis) -> set[bytes]:
    return {group["name"] for group in client.xinfo_groups("shop:orders:placed")}


def registered(registry: Registry) -> int:
    """How many instances of the shop's services there are."""
    return sum(len(registry.read(one).instances) for one in names_of_shop)


def test_the_shop_writes_every_type_below_its_prefix_and_ends_at_sigterm(
    own_server: RedisProcess, shop: subprocess.Popen[str]
) -> None:
    every = {b"string", b"list", b"hash", b"set", b"zset", b"stream"}
    with own_server.client() as client:
        assert until(lambda: types_of(client) == every, 30)
        ours = (b"shop:", b"limit:{shop-", b"limits:use:", b"redisops:limits:instances:",
                b"svc:services", b"svc:{shop-", b"services:{shop-", b"cache:{shop-catalog}:",
                b"redisops:cache:{shop-catalog}:", b"redisops:cache:namespaces")  # fmt: skip
        assert all(key.startswith(ours) for key in client.scan_iter(count=1000))
        assert until(lambda: connected(client) >= SERVICES, 20), connected(client)
        assert until(lambda: groups(client) == {b"payments", b"mailer"}, 20), groups(client)

        with connect(own_server.url) as ours_too:
            registry = Registry(ours_too)
            assert until(lambda: registered(registry) == 11, 20)
            asked = registry.read("shop-orders").instances[0]
            assert asked.state == "starting"  # until somebody checks it
            url = f"http://{asked.authority}/health"
            with urllib.request.urlopen(url) as answer:
                assert json.load(answer)["id"] == asked.id
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://{asked.authority}/healthy")

            shop.send_signal(signal.SIGTERM)

            assert shop.wait(timeout=60) == 0
            assert registered(registry) == 0


@pytest.mark.timeout(240)
def test_the_shop_goes_on_after_redis_came_back_empty(
    own_server: RedisProcess, shop: subprocess.Popen[str]
) -> None:
    with own_server.client() as client:
        assert until(lambda: client.exists("shop:orders:placed"), 30)

    own_server.kill()
    own_server.start()

    with own_server.client() as client:
        assert until(lambda: client.exists("shop:orders:placed"), 30)
        # The mailer hangs for one minute in seven, and then looks after its group.
        assert until(lambda: len(client.xinfo_groups("shop:orders:placed")) == 2, 100)
    assert shop.poll() is None


def test_the_shop_keeps_away_from_somebody_elses_keys(
    own_server: RedisProcess, shop: subprocess.Popen[str]
) -> None:
    shop.kill()
    shop.wait()
    with own_server.client() as client:
        client.flushall()
        client.set("shop:mine", "do not touch")
    with subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT, env={**os.environ, "DEMO_REDIS_URL": own_server.url},
        stderr=subprocess.PIPE, text=True,
    ) as second:  # fmt: skip
        assert second.stderr is not None
        assert "keeps away" in second.stderr.readline()
        second.terminate()
        assert second.wait(timeout=60) == 0

    with own_server.client() as client:
        assert client.keys() == [b"shop:mine"]
        with connect(own_server.url) as ours, pytest.raises(NotOurs):
            remove(ours)
        assert client.exists("shop:mine")


def test_a_published_limit_holds_customers_off_at_once_and_goes_with_the_shop(
    own_server: RedisProcess, shop: subprocess.Popen[str]
) -> None:
    only = Policy(
        "one-order", service="orders", subject=("global",), limit=1, period=86_400.0,
        algorithm="token_bucket",  # no window that could end just now
    )  # fmt: skip
    with own_server.client() as client, connect(own_server.url) as ours:
        assert until(lambda: client.xlen("shop:orders:placed") > 2, 30)

        assert publish(ours, Document(1, (only,))) == "published"

        assert until(lambda: client.exists("limit:{one-order:global}:b"), 20)
        assert until(lambda: client.sismember("shop:policies", "one-order"), 20)
        denied = Use(ours)

        def held_off() -> bool:
            """Three customers more are refused, and nobody has placed an order meanwhile."""
            placed, before = client.xlen("shop:orders:placed"), refusals(denied)
            assert until(lambda: refusals(denied) > before + 3, 30)
            return bool(client.xlen("shop:orders:placed") == placed)

        # One who was let in before may not have come to the stream yet.
        assert until(held_off, 60)

        shop.terminate()
        assert shop.wait(timeout=60) == 0
        assert remove(ours)["limits"] > 0
        left = {bytes(key) for key in client.scan_iter(count=1000)}
        assert left <= {b"redisops:limits"}


def test_removing_takes_the_shop_and_nothing_else(own_server: RedisProcess) -> None:
    with own_server.client() as client, connect(own_server.url) as ours:
        client.mset({b"shop:demo": b"1", b"workshop:x": b"1", b"shopping": b"1"})
        client.mset({f"shop:order:{number}": b"1" for number in range(1200)})
        client.set(b"shop:notice\xff", b"1")
        client.mset({b"limit:{shop-orders:7}:b": b"1", b"limit:{others:7}:b": b"1"})
        client.mset({b"limit:{t}:shop-orders:7:b": b"1", b"limits:use:{shop-orders}:x": b"1"})
        client.mset({b"cache:{shop-catalog}:product:1": b"1", b"cache:{shop}:1": b"1"})
        client.mset({b"redisops:cache:{shop-catalog#3}:versions": b"1"})

        registry = Registry(ours)  # a killed shop left one, and somebody else has one
        registry.register(Registration("shop-orders", "shop-orders-1", "127.0.0.1", 1))
        registry.register(Registration("mine", "mine-1", "127.0.0.1", 1))

        removed = remove(ours)

        assert removed["order"] == 1200
        assert removed["limits"] == 3
        assert removed["instances"] == 1
        assert removed["cache"] == 2
        left = [
            b"cache:{shop}:1",
            b"limit:{others:7}:b",
            b"shopping",
            b"svc:services",
            b"workshop:x",
        ]
        assert [key for key in sorted(client.keys()) if b"{mine}" not in key] == left
        assert registry.read("mine").instances
        assert still_running(ours) == []


@pytest.mark.django_db
def test_the_command_says_what_it_removed(
    home_process: RedisProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    with home_process.client() as client:
        client.mset({b"shop:demo": b"1", b"shop:order:1": b"1", b"shop:order:2": b"1"})

        call_command("demo", remove=True)

        assert "2  shop:order" in capsys.readouterr().out
        assert not client.exists("shop:demo")

    call_command("demo", remove=True)
    assert "no demo here" in capsys.readouterr().out


def test_the_command_does_nothing_without_being_told() -> None:
    with pytest.raises(CommandError, match="--remove"):
        call_command("demo")
