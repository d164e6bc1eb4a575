"""A service's book: what is published is held at once, and nothing takes it away again."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.connection import connect
from redisops.limits import Asked, Book, Document, DocumentError, Policy, publish, published
from redisops.limits.document import CHANNEL, KEY, MOST_BYTES
from redisops.limits.following import INSTANCES
from tests.redisops.limits.holding import QUICK, Holding, one_server
from tests.servers import Cluster, RedisProcess, free_port, until
from tests.servers.troubles import restricted

server = pytest.fixture(one_server)
NEVER = 60.0  # seconds between two looks, for a book that must hear of it


def policy(name: str = "p", **fields: Any) -> Policy:
    return Policy(name, **{"limit": 5, "period": 60.0, **fields})


def becomes(is_so: Callable[[], bool], what: str) -> None:
    until(is_so, what, seconds=20)


def holds(book: Any, version: int) -> None:
    becomes(lambda: book.version == version, f"version {version} held")


def names(book: Any) -> list[str]:
    return [one.policy.name for one in book.match(Asked(ip="192.0.2.1", path="/"))]


def test_what_is_published_is_held_at_once_and_by_every_kind_of_client(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    ours = holding.client(server.url)
    books = [
        holding.book(ours, every=NEVER),
        holding.book(holding.plain(server.port), every=NEVER),
        holding.book(holding.plain(server.port, decode_responses=True), every=NEVER),
    ]
    for book in books:
        assert holding.wait(book)
        assert (book.version, book.trouble, names(book)) == (0, "", [])
    becomes(lambda: client.pubsub_numsub(CHANNEL)[0][1] == 3, "three listeners")

    assert publish(client, Document(3, (policy("new"), policy("off", mode="off")))) == "published"

    for book in books:
        holds(book, 3)
        assert names(book) == ["new"]
        assert book.age < 20
    assert published(client) == books[0].document


def test_a_lost_announcement_is_made_up_for_and_the_link_made_anew(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    book = holding.book(holding.client(server.url))
    holding.wait(book)

    client.set(KEY, Document(4, (policy("quiet"),)).dumps())
    holds(book, 4)
    client.client_kill_filter(_type="pubsub")
    client.set(KEY, Document(5, (policy("again"),)).dumps())

    holds(book, 5)
    becomes(lambda: client.pubsub_numsub(CHANNEL)[0][1] == 1, "it listens again")
    becomes(lambda: book.trouble == "", "all is well")


def test_what_cannot_be_used_leaves_what_is_held(
    holding: Holding,
    server: RedisProcess,
    client: redis.Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = Document(7, (policy("good"),)).dumps()
    newer = json.dumps({"format": 2, "version": 9, "rules": []}).encode()
    book = holding.book(holding.client(server.url), every=0.05)
    publish(client, Document.loads(good))
    holds(book, 7)
    caplog.set_level(logging.INFO, logger="redisops.limits")

    for data, words in (
        (b"\x00\xff rubbish", "no JSON"),
        (good[:-30], "no JSON"),
        (b'{"format":1,"a":' + b"[" * 100_000, "deeply"),
        (b"[" * 3_000_000, "longer than"),
        (newer, "format 2"),
        (Document(6, (policy("older"),)).dumps(), "older than 7"),
    ):
        client.set(KEY, data)
        becomes(lambda words=words: words in book.trouble, words)  # type: ignore[misc]
        assert names(book) == ["good"]
    client.delete(KEY)
    becomes(lambda: "no document" in book.trouble, "it is missed")
    assert names(book) == ["good"]
    client.delete(KEY)
    client.hset(KEY, "a", "b")
    becomes(lambda: "WRONGTYPE" in book.trouble, "another type")
    client.delete(KEY)
    client.set(KEY, good)

    becomes(lambda: not book.trouble, "all is well again")
    assert names(book) == ["good"]
    lines = [record for record in caplog.records if record.name == "redisops.limits"]
    assert len(lines) == 2, [line.getMessage() for line in lines]


def test_a_document_of_the_same_version_is_taken_when_it_is_another(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    book = holding.book(holding.client(server.url))
    for name in ("one", "two"):
        publish(client, Document(2, (policy(name),)))
        becomes(lambda name=name: names(book) == [name], name)  # type: ignore[misc]


def test_an_older_document_is_believed_when_it_stays(
    holding: Holding, server: RedisProcess, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = holding.book(holding.client(server.url))
    publish(client, Document(8))
    holds(book, 8)

    client.set(KEY, Document(2, (policy("restored"),)).dumps())
    becomes(lambda: "older than 8" in book.trouble, "it is told of")
    monkeypatch.setattr("redisops.limits.following.BACK_AFTER", 0.0)

    holds(book, 2)
    assert names(book) == ["restored"]


def test_a_service_starts_and_goes_on_while_redis_is_away(
    holding: Holding, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="redisops.limits")
    server = RedisProcess(port=free_port())
    book = holding.book(holding.client(server.url, timeouts=QUICK), "shop", policy("code"))
    becomes(lambda: bool(book.trouble), "it notices")
    assert (names(book), book.version, book.age, book.instances) == (["code"], 0, None, 1)
    assert not holding.wait(book, 0.05)

    with server:
        with server.client() as plain:
            publish(plain, Document(1, (policy("published"),)))
        holds(book, 1)
        becomes(lambda: not book.trouble, "well")
        server.pause()
        try:
            becomes(lambda: bool(book.trouble), "it notices that nothing answers")
            assert names(book) == ["published"]
        finally:
            server.resume()
        becomes(lambda: not book.trouble, "well again")
        server.kill()
        becomes(lambda: bool(book.trouble), "it notices that it is gone")
        assert names(book) == ["published"]
        server.start()
        becomes(lambda: "no document" in book.trouble, "it came back empty")
        with server.client() as plain:
            publish(plain, Document(2, (policy("later"),)))
        becomes(lambda: names(book) == ["later"], "the next one")
    lines = [record.getMessage() for record in caplog.records if record.name == "redisops.limits"]
    assert len(lines) <= 8, lines
    assert not [line for line in lines if line.count("Version") > 1], lines


def test_a_user_without_the_channel_or_scripts_looks_more_often(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    narrow = restricted(
        server, "~redisops:limits*", "resetchannels", "+@read", "+subscribe", "+ping"
    )
    book = holding.book(holding.client(narrow), every=NEVER)
    assert holding.wait(book)

    publish(client, Document(1, (policy("heard"),)))

    holds(book, 1)
    assert (book.instances, book.trouble) == (1, "")


def test_instances_are_counted_and_signed_off(
    holding: Holding, server: RedisProcess, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redisops.limits.following.SIGN_EVERY", 0.05)
    ours = holding.client(server.url)
    client.zadd(INSTANCES + b"shop", {"died": 1000.0, "from a clock far ahead": 9e15})

    first, second = holding.book(ours, every=0.05), holding.book(ours, every=0.05)
    other = holding.book(ours, "billing", every=0.05)
    becomes(lambda: first.instances == second.instances == 2, "both know of both")
    assert 0 < client.pttl(INSTANCES + b"shop") <= 30_000
    holding.settle(second.close() if not holding.awaiting else second.aclose())

    becomes(lambda: first.instances == 1, "one has left")
    assert other.instances == 1
    assert second.match(Asked()) == ()


def test_time_is_that_of_redis_whatever_this_machine_says(
    holding: Holding, server: RedisProcess, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = holding.book(holding.client(server.url))
    holding.wait(book)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 70)

    seconds, _ = client.time()
    assert abs(book.now() - seconds) < 30


def test_a_forked_child_follows_by_itself(server: RedisProcess, client: redis.Redis) -> None:
    ours = connect(server.url)
    with Book(ours, "shop", every=0.1) as book:
        assert book.wait(20)
        publish(client, Document(1, (policy("before"),)))
        holds(book, 1)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                ok = names(book) == ["before"]
                os.write(writer, b"1" if ok else b"0")
                end = time.monotonic() + 20
                while book.version != 2 and time.monotonic() < end:
                    book.match(Asked())
                    time.sleep(0.02)
                os.write(writer, b"1" if names(book) == ["after"] and book.instances >= 2 else b"0")
            finally:
                os._exit(0)
        os.close(writer)
        assert os.read(reader, 1) == b"1"
        becomes(lambda: client.zcard(INSTANCES + b"shop") == 2, "the child has signed on")
        publish(client, Document(2, (policy("after"),)))

        assert os.read(reader, 1) == b"1"
        os.waitpid(child, 0)
        os.close(reader)
        holds(book, 2)
    ours.close()


def test_on_a_cluster_it_is_heard_on_any_node(holding: Holding, cluster: Cluster) -> None:
    book = holding.book(holding.client(cluster.url), every=NEVER)
    assert holding.wait(book)
    with connect(cluster.url) as ours:
        assert publish(ours, Document(1, (policy("first"),), tag="shop")) == "published"
        holds(book, 1)
        assert published(ours) == book.document
    assert book.instances == 1


def test_a_document_never_goes_back(server: RedisProcess, client: redis.Redis) -> None:
    documents = [Document(version, (policy(f"v{version}"),)) for version in range(1, 41)]
    heard = client.pubsub()
    heard.subscribe(CHANNEL)
    said: list[str] = []

    def write(some: list[Document]) -> None:
        with server.client() as own:
            said.extend(publish(own, document) for document in some)

    threads = [threading.Thread(target=write, args=(documents[n::4][::-1],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert published(client) == documents[-1]
    assert publish(client, documents[3]) == "older"
    assert publish(client, documents[-1]) == "published"
    assert set(said) <= {"published", "older"}
    versions = []
    client.publish(CHANNEL, b"over")
    while (message := heard.get_message(timeout=20)) and message["data"] != b"over":
        if message["type"] == "message":
            versions.append(int(message["data"]))
    assert message, "the last one did not come"
    heard.close()
    assert versions == sorted(versions)
    assert len(versions) == said.count("published") + 1


def test_publishing_mends_what_is_no_document(client: redis.Redis) -> None:
    assert published(client) is None
    for rubbish in (b"rubbish", b'{"format":1,"version":x', b"[" * (MOST_BYTES + 9)):
        client.set(KEY, rubbish)
        with pytest.raises(DocumentError):
            published(client)

        assert publish(client, Document(1)) == "published"
    client.set(KEY, b'{"format":2,"version":12,"other":1}')
    assert publish(client, Document(11)) == "older"


def test_a_book_without_redis_has_the_policies_of_code(holding: Holding) -> None:
    book = holding.book(None, "shop", policy("code"))

    assert names(book) == ["code"]
    assert (book.trouble, book.age, book.instances) == ("", None, 1)
