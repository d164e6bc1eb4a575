"""What was removed comes back byte for byte, overwrites nothing unasked, and says what it did."""

from __future__ import annotations

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import undo
from dashboard.audit.models import Entry
from dashboard.undo import jobs, marks, putting, restoring, sealing
from dashboard.undo.models import Chunk, Removal
from redisops.dumps import Dump, Dumps
from redisops.edits import Edits, Saved, Seen, SetField
from redisops.errors import UnknownResult
from tests.servers import full


def removed(server, *keys, action="keys.delete"):
    removal = undo.begin("anna", server, action)
    assert set(removal.remove(server.client(), list(keys))) == {"removed"}
    return removal


def state(data, keys):
    """The contents of keys, and when they expire."""
    digests = data.execute_command("DEBUG", "DIGEST-VALUE", *keys)
    return {key: (one, data.pexpiretime(key)) for key, one in zip(keys, digests, strict=True)}


def told(removal):
    return b"".join(bytes(chunk.marks) for chunk in removal.chunks.order_by("pk"))


def test_every_type_comes_back_with_its_expiry_to_the_millisecond(server, data, every_type, asked):
    before = state(data, every_type)
    removal = removed(server, *every_type)
    assert data.dbsize() == 0

    restored = undo.restore(asked, removal, reason="it was needed")

    assert restored.results == {"restored": len(every_type)}
    assert state(data, every_type) == before
    assert data.xpending("x", "g")["pending"] == 3
    assert set(told(removal)) == {marks.BACK}
    intent, outcome = Entry.objects.filter(action="undo.restore").order_by("number")
    assert (intent.result, outcome.result) == ("intent", "ok")
    assert outcome.reason == "it was needed"


def test_a_name_that_is_taken_stays_as_it_is(server, data, asked):
    data.mset({"a": "old", "b": "old"})
    removal = removed(server, b"a", b"b")
    data.set("a", "new")

    restored = undo.restore(asked, removal)

    assert restored.results == {"taken": 1, "restored": 1}
    assert (data.get("a"), data.get("b")) == (b"new", b"old")
    assert restored.rows == [(b"a", "taken")]


def test_overwriting_keeps_what_was_there_first_and_can_be_undone_in_turn(server, data, asked):
    data.set("a", "old", px=500_000)
    removal = removed(server, b"a")
    data.set("a", "new")

    restored = undo.restore(asked, removal, replace=True)

    assert restored.results == {"restored": 1}
    assert data.get("a") == b"old" and data.pttl("a") > 0
    again = undo.restore(asked, restored.overwritten)
    assert again.results == {"restored": 1}
    assert data.get("a") == b"new" and data.pttl("a") == -1


def test_an_overwritten_value_is_put_back_over_the_new_one(server, data, asked):
    data.set("a", "old")
    removal = undo.begin("anna", server, "keys.update")
    kept = removal.keep(Dumps(server.client()).take([b"a"]))
    data.set("a", "new")
    removal.settle(kept, ["overwritten"])

    assert undo.restore(asked, removal).results == {"restored": 1}

    assert data.get("a") == b"old"
    assert Removal.objects.filter(action="undo.overwrite", offered=1).exists()


def test_an_overwritten_value_takes_no_other_name_from_anybody(server, data, asked):
    data.mset({"a": "old", "copy:a": "theirs"})
    removal = undo.begin("anna", server, "keys.update")
    kept = removal.keep(Dumps(server.client()).take([b"a"]))
    data.set("a", "new")
    removal.settle(kept, ["overwritten"])

    assert undo.restore(asked, removal, rename=(b"", b"copy:")).results == {"taken": 1}

    assert data.mget("a", "copy:a") == [b"new", b"theirs"]


def test_names_get_another_begin_and_the_old_ones_stay_free(server, data, asked):
    data.mset({"cart:1": "x", "other": "y"})
    removal = removed(server, b"cart:1", b"other")

    restored = undo.restore(asked, removal, rename=(b"cart:", b"old-cart:"))

    assert data.keys("*") == [b"old-cart:1"]
    assert restored.results["restored"] == 1
    assert "does not begin with" in restored.rows[0][1]


def test_the_consoles_own_names_are_refused(server, data, asked):
    data.set("a", "x")
    removal = removed(server, b"a")

    restored = undo.restore(asked, removal, rename=(b"a", server.protected_prefix + b"a"))

    assert restored.rows[0][1] == "refused: it belongs to the console itself"
    assert data.dbsize() == 0


def test_what_expired_meanwhile_stays_away_unless_it_gets_a_new_time(server, data, asked):
    data.set("a", "x", px=10_000_000)
    removal = undo.begin("anna", server)
    [dump] = Dumps(server.client()).take([b"a"])
    removal.settle(removal.keep([dump._replace(expires_at=1_000)]), ["removed"])
    data.delete("a")

    assert undo.restore(asked, removal).results == {"expired": 1}
    assert undo.restore(asked, removal, ttl=60).results == {"restored": 1}
    assert 50_000 < data.pttl("a") <= 60_000


def test_another_versions_payload_is_incompatible_with_a_next_step(server, data, asked):
    data.set("a", "x")
    removal = undo.begin("anna", server)
    [dump] = Dumps(server.client()).take([b"a"])
    foreign = dump.payload[:-10] + b"\xff\xff" + dump.payload[-8:]
    removal.settle(removal.keep([dump._replace(payload=foreign)]), ["removed"])
    data.set("a", "untouched")

    restored = undo.restore(asked, removal, replace=True)

    [(_, why)] = restored.rows
    assert why.startswith("incompatible: ") and "Restore it to" in why
    assert data.get("a") == b"untouched"
    assert set(told(removal)) == {marks.INCOMPATIBLE}


def test_trouble_of_the_server_leaves_everything_offered(server, data, target, asked):
    data.set("a", "x" * 200)
    removal = removed(server, b"a")
    full(target)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            undo.restore(asked, removal)
    finally:
        data.config_set("maxmemory", 0)

    assert set(told(removal)) == {marks.REMOVED}
    assert Entry.objects.filter(action="undo.restore", result="failed").count() == 1
    assert undo.restore(asked, removal).results == {"restored": 1}


def test_a_lost_reply_is_told_as_unknown_and_found_out_by_trying_again(
    server, data, asked, monkeypatch
):
    data.set("a", "x")
    removal = removed(server, b"a")

    class Cut(Dumps):
        def restore(self, *args, **options):
            super().restore(*args, **options)
            raise UnknownResult("the reply was lost")

    with monkeypatch.context() as patch:
        patch.setattr(putting, "Dumps", Cut)
        with pytest.raises(UnknownResult):
            undo.restore(asked, removal)

    assert set(told(removal)) == {marks.TRYING}
    assert Entry.objects.filter(action="undo.restore", result="unknown").count() == 1
    assert undo.restore(asked, removal).results == {"restored": 1}
    assert set(told(removal)) == {marks.BACK}


def test_of_two_restores_at_once_each_key_comes_back_once(server, data, asked, monkeypatch):
    """The second one runs to its end when the first is about to send."""
    keys = [b"k:%d" % n for n in range(30)]
    data.mset({key: key for key in keys})
    removal = removed(server, *keys)
    inner = []

    class Late(Dumps):
        def restore(self, *args, **options):
            if not inner:
                inner.append(None)
                inner.append(undo.restore(asked, removal, keys=keys[:20]))
            return super().restore(*args, **options)

    monkeypatch.setattr(putting, "Dumps", Late)

    outer = undo.restore(asked, removal)

    assert inner[1].results == {"restored": 20}
    assert outer.results == {"restored": 30}
    assert set(told(removal)) == {marks.BACK}
    assert all(data.get(key) == key for key in keys)


def test_an_edit_is_taken_back_by_its_inverse_and_forth_again(server, data, asked):
    data.hset("h", mapping={"total": "17.50", "name": "ann"})
    outcome = Edits(server.client()).apply(
        SetField(b"h", b"total", b"18.00", seen=Seen.of(b"17.50"))
    )
    assert isinstance(outcome, Saved) and outcome.inverse is not None
    removal = undo.begin("anna", server, "keys.update")
    removal.keep_edit(b"h", outcome.inverse.to_dict())

    assert undo.restore(asked, removal).results == {"restored": 1}
    assert data.hget("h", "total") == b"17.50"

    back = Removal.objects.get(action="undo.overwrite")
    assert undo.restore(asked, back).results == {"restored": 1}
    assert data.hget("h", "total") == b"18.00"


def test_an_edit_that_somebody_changed_since_is_not_taken_back(server, data, asked):
    data.hset("h", "total", "17.50")
    edit = SetField(b"h", b"total", b"18.00", seen=Seen.of(b"17.50"))
    outcome = Edits(server.client()).apply(edit)
    assert isinstance(outcome, Saved) and outcome.inverse is not None
    removal = undo.begin("anna", server, "keys.update")
    removal.keep_edit(b"h", outcome.inverse.to_dict())
    data.hset("h", "total", "99")

    assert undo.restore(asked, removal).results == {"changed": 1}
    assert data.hget("h", "total") == b"99"


def test_some_keys_by_name_leave_the_others(server, data, asked):
    data.mset({"a": "1", "b": "2"})
    removal = removed(server, b"a", b"b")

    undo.restore(asked, removal, keys=[b"b"])

    assert data.keys("*") == [b"b"]
    assert told(removal).count(marks.BACK) == 1


def test_much_becomes_a_job_that_ends_what_a_killed_one_began(server, data, asked, monkeypatch):
    from dashboard.jobs.testing import run

    monkeypatch.setattr(restoring, "AT_ONCE_KEYS", 10)
    keys = [b"k:%d" % n for n in range(40)]
    data.mset({key: key for key in keys})
    removal = removed(server, *keys)
    removal.refresh_from_db()
    chunk = Chunk.objects.get()
    # A worker died after it had sent these and before it could write that down.
    Dumps(server.client()).restore(list(chunk.dumps())[:5])
    changed = bytearray(chunk.marks)
    changed[:5] = bytes([marks.TRYING]) * 5
    Chunk.objects.update(marks=bytes(changed))
    data.set("k:20", "somebody else's")

    job = undo.restore(asked, removal, reason="all of it")
    job = run(job)

    assert (job.state, job.done, job.skipped) == ("done", 39, 1)
    assert data.dbsize() == 40 and data.get("k:20") == b"somebody else's"
    assert told(removal).count(marks.BACK) == 39


def test_a_job_opens_a_chunk_once_and_reads_the_marks_at_each_step(
    server, data, asked, monkeypatch
):
    from dashboard.jobs.testing import run

    monkeypatch.setattr(restoring, "AT_ONCE_KEYS", 10)
    monkeypatch.setattr(jobs, "STEP_KEYS", 10)
    opened = []
    open_values = sealing.open_values
    monkeypatch.setattr(
        sealing, "open_values", lambda *told: opened.append(told[1]) or open_values(*told)
    )
    keys = [b"k:%d" % n for n in range(40)]
    data.mset({key: key for key in keys})
    removal = removed(server, *keys[:20])
    removal.remove(server.client(), keys[20:])
    removal.refresh_from_db()
    job = undo.restore(asked, removal)

    job = run(job, steps=1)
    putting.remark(Chunk.objects.earliest("pk"), {15: marks.STAYED})
    with CaptureQueriesContext(connection) as second:
        job = run(job, steps=1)
    assert len(opened) == 1
    assert not any('"undo_chunk"."body"' in query["sql"] for query in second)
    job = run(job)

    assert len(opened) == len(set(opened)) == 2
    assert (job.state, job.done) == ("done", 39)
    assert set(data.keys("*")) == {*keys} - {keys[15]}
    assert job.work._opened == {}


def test_a_chunk_of_foreign_dumps_reads_as_it_was_kept(server):
    removal = undo.begin("anna", server)
    dumps = [Dump(b"a", b"\x00", 5, "ReJSON-RL", 1), Dump(b"", b"", None, "string", 0)]

    removal.keep(dumps)

    assert list(Chunk.objects.get().dumps()) == dumps
