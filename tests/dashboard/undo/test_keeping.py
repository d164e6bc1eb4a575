"""What is removed through the bin can always come back; what cannot be kept is not removed."""

from __future__ import annotations

import datetime

import pytest
import redis
from django.utils import timezone

from dashboard import undo
from dashboard.servers.secrets import SecretUnreadable
from dashboard.undo import keeping, marks, tasks
from dashboard.undo.models import Chunk, Removal
from redisops.dumps import Dump, Dumps, sending
from redisops.errors import UnknownResult
from tests.hostile import NAMES, VALUES


def begun(server, **options):
    return undo.begin("anna", server, **options)


def test_a_key_is_kept_sealed_before_it_goes(server, data):
    data.set("cart:eu:7", "four apples", px=600_000)
    removal = begun(server, why="tidy")

    assert removal.remove(server.client(), [b"cart:eu:7", b"absent"]) == ["removed", "gone"]

    assert not data.exists("cart:eu:7")
    chunk = Chunk.objects.get()
    stored = bytes(chunk.facts) + bytes(chunk.body)
    assert b"cart" not in stored and b"apples" not in stored
    assert removal.target == "cart:eu:7"
    assert bytes(chunk.marks) == bytes([marks.REMOVED])


def test_a_sealed_chunk_opens_only_in_its_own_row(server, data):
    data.mset({"a": "1", "b": "2"})
    first, second = begun(server), begun(server)
    first.remove(server.client(), [b"a"])
    second.remove(server.client(), [b"b"])
    one, two = Chunk.objects.order_by("pk")

    two.facts = one.facts

    with pytest.raises(SecretUnreadable):
        two.open_facts()


def test_hostile_names_and_values_are_kept_to_the_byte(server, data):
    wanted = dict(zip(NAMES, VALUES[-len(NAMES) :], strict=True))
    data.mset(wanted)
    before = {key: data.dump(key) for key in wanted}
    removal = begun(server)

    assert set(removal.remove(server.client(), NAMES)) == {"removed"}

    kept = [dump for chunk in removal.chunks.all() for dump in chunk.dumps()]
    assert {dump.key: dump.payload for dump in kept} == before
    assert data.dbsize() == 0


def test_a_key_that_changed_between_dump_and_unlink_stays_and_is_not_offered(server, data):
    data.mset({"a": "1", "b": "2"})
    removal = begun(server)
    library = Dumps(server.client())
    dumps = library.take([b"a", b"b"])
    kept = removal.keep(dumps)
    data.set("a", "new")

    results = library.remove(dumps)
    removal.settle(kept, results)

    assert results == ["changed", "removed"]
    assert data.get("a") == b"new"
    removal.refresh_from_db()
    assert (removal.kept, removal.offered) == (2, 1)


def test_nothing_is_kept_inside_a_transaction_that_could_be_undone(server, data):
    from django.db import transaction

    removal = begun(server)

    with pytest.raises(RuntimeError), transaction.atomic():
        removal.keep([Dump(b"a", b"x", None, "string", 1)])


def test_a_value_that_is_too_big_stays_with_a_sentence(server, data, settings):
    settings.UNDO_VALUE_BYTES = 1000
    data.set("big", "".join(chr(33 + n * 7 % 90) for n in range(9000)))
    data.set("small", "x")
    removal = begun(server)

    big, small = removal.remove(server.client(), [b"big", b"small"])

    assert big.startswith("too big: A value of ") and "UNDO_VALUE_BYTES" in big
    assert small == "removed"
    assert data.exists("big")
    with pytest.raises(undo.TooBig):
        removal.keep([Dump(b"a", b"x" * 1001, None, "string", 1001)])
    assert "too big" in undo.can_keep(server, 10, largest=2000)


def test_a_full_bin_refuses_until_something_expires(server, data, settings):
    data.mset({"a": "1" * 300, "b": "2" * 300})
    first = begun(server)
    first.remove(server.client(), [b"a"])
    settings.UNDO_BYTES = first.size + 50
    second = begun(server)

    with pytest.raises(undo.Full) as refused:
        second.remove(server.client(), [b"b"])

    assert data.exists("b")
    assert "has room for 50 B" in str(refused.value)
    assert undo.can_keep(server, 51) and not undo.can_keep(server, 50)

    Removal.objects.filter(pk=first.pk).update(until=timezone.now())
    assert second.remove(server.client(), [b"b"]) == ["removed"]
    assert list(Chunk.objects.values_list("removal_id", flat=True)) == [second.pk]


def test_what_was_kept_when_the_process_died_is_settled_by_a_look(server, data):
    data.mset({"gone": "1", "still": "2", "again": "3"})
    removal = begun(server)
    removal.keep(Dumps(server.client()).take([b"gone", b"still", b"again"]))
    data.delete("gone")
    data.set("again", "another value")

    assert removal.look(server.client()) == 2

    told = dict(zip([b"gone", b"still", b"again"], bytes(Chunk.objects.get().marks), strict=True))
    assert told == {b"gone": marks.REMOVED, b"still": marks.STAYED, b"again": marks.KEPT}
    assert removal.offered == 2


def test_many_keys_become_few_chunks_and_trips(server, data):
    with data.pipeline(transaction=False) as pipe:
        for n in range(2500):
            pipe.set(f"k:{n}", "x" * 1000)
        pipe.execute()
    removal = begun(server)

    results = removal.remove(server.client(), [b"k:%d" % n for n in range(2500)])

    assert results == ["removed"] * 2500
    sizes = list(removal.chunks.values_list("size", flat=True))
    assert len(sizes) <= 5 and max(sizes) < 1.2 * keeping.CHUNK_BYTES


def test_beat_empties_what_is_over_and_what_never_began(server, data):
    data.mset({"a": "1", "b": "2"})
    over, live, bare = begun(server), begun(server), begun(server)
    over.remove(server.client(), [b"a"])
    live.remove(server.client(), [b"b"])
    hour_ago = timezone.now() - datetime.timedelta(hours=2)
    Removal.objects.filter(pk=over.pk).update(until=timezone.now())
    Removal.objects.filter(pk=bare.pk).update(created=hour_ago)

    tasks.empty()

    assert list(Removal.objects.all()) == [live]
    assert Chunk.objects.count() == 1
    with pytest.raises(undo.Emptied):
        over.keep([Dump(b"a", b"x", None, "string", 1)])


def test_the_strip_knows_the_removal_of_the_address(server, data, rf):
    data.set("a", "1")
    removal = begun(server)
    removal.remove(server.client(), [b"a"])

    assert undo.told(rf.get("/", {"undo": str(removal.pk)}), server) == removal
    for wrong in ("", "x", "-1", "9" * 40, "²", str(removal.pk + 1)):
        assert undo.told(rf.get("/", {"undo": wrong}), server) is None


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("at", [1, 2])
def test_a_connection_lost_at_any_call_loses_no_value(server, data, asked, monkeypatch, at, heard):
    """At DUMP or at UNLINK, before the server heard of it or after."""
    wanted = {b"k:%d" % n: b"v%d" % n for n in range(5)}
    data.mset(wanted)
    removal = begun(server)
    calls = []

    def cut(*args, **options):
        calls.append(args)
        if len(calls) == at and not heard:
            raise redis.ConnectionError("cut before")
        reply = yield from sent(*args, **options)
        if len(calls) == at:
            raise UnknownResult("cut after")
        return reply

    with monkeypatch.context() as patch:
        sent = sending.send
        patch.setattr(sending, "send", cut)
        with pytest.raises(redis.ConnectionError):
            removal.remove(server.client(), list(wanted))

    removal.look(server.client())
    restored = undo.restore(asked, removal).results if removal.offered else {}
    assert {key: data.get(key) for key in wanted} == wanted
    assert restored == ({"restored": 5} if (at, heard) == (2, True) else {})
