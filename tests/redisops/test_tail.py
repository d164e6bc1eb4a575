"""Following a stream without a silent hole."""

import time

import pytest
import redis

from redisops.tail import AsyncTail, Hole, Tail
from tests.servers import RedisProcess


@pytest.fixture
def tail(build):
    return lambda after=None: build(Tail, AsyncTail, "events", after)


def add(client, count, first=1):
    return [client.xadd("events", {"n": n}).decode() for n in range(first, first + count)]


def ids(catch):
    return [entry.id for entry in catch.entries]


def test_a_new_tail_begins_with_what_comes_next(tail, client):
    add(client, 3)
    follower = tail()
    follower.next(block=1)

    added = add(client, 2)

    assert ids(follower.next(block=1)) == added


def test_a_tail_goes_on_after_an_id(tail, client):
    first, *rest = add(client, 4)

    assert ids(tail(first).next(block=1)) == rest


def test_every_repeat_of_a_field_comes_in_order(tail, client):
    first = add(client, 1)[0]
    client.execute_command("XADD", "events", "*", "tag", "a", b"\xff", "", "tag", "b")
    pairs = ((b"tag", b"a"), (b"\xff", b""), (b"tag", b"b"))

    assert [entry.fields for entry in tail(first).next(block=1).entries] == [pairs]
    assert [entry.fields for entry in tail().since(first).entries] == [pairs]


def test_a_quiet_stream_gives_nothing_and_no_hole(tail, client):
    follower = tail()

    assert [follower.next(block=1) for _ in range(3)][-1].hole is None


def test_a_stream_that_is_not_there_yet_is_followed_once_it_is(tail, client):
    follower = tail()
    follower.next(block=1)

    added = add(client, 1)

    assert ids(follower.next(block=1)) == added


def test_what_was_trimmed_while_it_went_on_reading_is_counted(tail, client):
    follower = tail()
    add(client, 1)
    follower.next(block=1)
    seen = []
    for _ in range(3):  # never a quiet look: each time the reader is a little too slow
        add(client, 5)
        client.xtrim("events", maxlen=2, approximate=False)
        seen += ids(follower.next(block=1))

    holes = [follower.next(block=1).hole for _ in range(3)]

    assert sum(hole.missed for hole in holes if hole) == 15 - len(seen)


def test_what_was_trimmed_while_nobody_looked_is_counted(tail, client):
    follower = tail()
    add(client, 2)
    follower.next(block=1)
    last = add(client, 2)[-1]
    follower.next(block=1)
    follower.next(block=1)  # quiet: it will compare before it reads again

    add(client, 10)
    client.xtrim("events", maxlen=4, approximate=False)

    assert follower.next(block=1).hole == Hole(last, "trimmed", 6)
    assert len(follower.next(block=1).entries) == 4


def test_a_trimmed_past_is_no_hole(tail, client):
    follower = tail()
    follower.next(block=1)
    add(client, 5)
    follower.next(block=1)
    client.xtrim("events", maxlen=0, approximate=False)
    follower.next(block=1)

    added = add(client, 2)
    catch = follower.next(block=1)

    assert (catch.hole, ids(catch)) == (None, added)


def test_a_recreated_stream_is_told_and_followed_from_its_beginning(tail, client):
    follower = tail()
    client.xadd("events", {"n": 1}, id="9999999999999-0")
    follower.next(block=1)
    client.xadd("events", {"n": 1}, id="9999999999999-1")
    follower.next(block=1)
    follower.next(block=1)

    client.delete("events")
    added = add(client, 2)

    assert follower.next(block=1).hole == Hole("9999999999999-1", "recreated", None)
    assert ids(follower.next(block=1)) == added


def test_since_gives_the_newest_and_says_when_there_were_more(tail, client):
    first, *rest = add(client, 10)

    assert ids(tail().since(first)) == rest
    assert tail().since(first).hole is None
    catch = tail().since(first, limit=4)
    assert (ids(catch), catch.hole) == (rest[-4:], Hole(first, "more", None))


def test_since_a_trimmed_id_is_a_hole(tail, client):
    first = add(client, 10)[0]
    client.xtrim("events", maxlen=3, approximate=False)

    catch = tail().since(first)

    assert len(catch.entries) == 3
    assert catch.hole == Hole(first, "trimmed", None)


def test_a_restarted_empty_server_is_a_hole_and_then_goes_on():
    with RedisProcess() as server, server.client(socket_timeout=2) as client:
        follower = Tail(client, "events")
        add(client, 3)
        follower.next(block=1)
        last = add(client, 3)[-1]
        follower.next(block=1)
        server.kill()
        with pytest.raises(redis.ConnectionError):
            follower.next(block=1)
        server.start()

        assert follower.next(block=1).hole == Hole(last, "recreated", None)
        added = add(client, 2)
        assert ids(follower.next(block=1)) == added


def test_another_type_under_the_name_is_an_error(tail, client):
    client.set("events", "text")

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        tail().next(block=1)


def test_a_stream_that_was_recreated_between_two_looks_is_told_without_doubling(tail, client):
    follower = tail()
    follower.next(block=1)
    add(client, 3)
    follower.next(block=1)

    time.sleep(0.002)  # an id of its own: the same one could not be told from the old
    client.delete("events")  # and written anew before the next look: no error, no quiet
    again = add(client, 1)

    seen = [follower.next(block=1) for _ in range(3)]
    assert [entry for catch in seen for entry in ids(catch)] == again
    assert [catch.hole.why for catch in seen if catch.hole] == ["recreated"]
