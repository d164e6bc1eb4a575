"""Looking at servers all at once, and what is kept of it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from dashboard.celery import app
from dashboard.servers import clients, tasks
from dashboard.servers.models import Server
from dashboard.servers.sampling import portrait, sampler, samples, schedule
from dashboard.servers.sampling.look import Look
from dashboard.servers.sampling.samples import Snapshot
from redisops.connection import measure
from redisops.resilience import Cause, Trouble
from tests.servers import REDIS, VALKEY, RedisProcess, free_port, running
from tests.waiting import Waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(db):
    """A second server on a Redis of its own."""
    with RedisProcess(binary=REDIS or VALKEY) as process:
        yield (
            Server.objects.create(name="Other", slug="other", nodes=f"127.0.0.1:{process.port}"),
            process,
        )


@pytest.fixture
def slots():
    """Slots two seconds apart, a while ago."""
    start = samples.slot() - 600
    return iter(range(start, start + 500, 2))


def snapshot(server):
    return samples.snapshots([server])[server.pk]


def rows(server):
    now = time.time()
    return samples.series().read(samples.name(server), now - 900, now, 2).rows


def test_a_look_is_kept_as_a_row_and_as_what_is_known_now(server, data, slots):
    data.set("a", 1)
    sampler.sample([server], next(slots))
    for _ in range(20):
        data.get("a")
    sampler.sample([server], next(slots))

    seen = snapshot(server)

    assert seen.flavour == "Valkey"
    assert seen.figures["reads"] > 0
    assert seen.figures["keys"] == 1
    assert seen.hit_ratio == 1
    assert seen.keyspace == [{"db": 0, "keys": 1, "expires": 0, "avg_ttl": 0}]
    assert [row.good for row in rows(server)] == [1, 1]
    assert rows(server)[0].values[0] is None  # no rate from a single look


def test_a_server_is_asked_in_one_round_trip_and_home_in_three(server, data, slots, monkeypatch):
    # On a busy machine the look takes long: it counts as slow, and home is asked twice more.
    monkeypatch.setattr(sampler, "FIRST", 10.0)
    monkeypatch.setattr(sampler, "DEADLINE", 10.0)
    sampler.sample([server], next(slots))
    before = data.info("stats")["total_reads_processed"]
    with measure() as cost:
        sampler.sample([server], next(slots))
    now = data.info("stats")["total_reads_processed"]

    assert now - before == 1 + 1  # reading the counter is one itself
    assert cost.round_trips == 1 + 3


def test_a_dead_server_is_a_try_that_failed_with_its_cause(db, slots):
    dead = Server.objects.create(name="Dead", slug="dead", nodes=f"127.0.0.1:{free_port()}")
    first = next(slots)
    sampler.sample([dead], first)
    sampler.sample([dead], next(slots))

    seen = snapshot(dead)

    assert seen.at is None
    assert seen.failing["cause"] == "unreachable"
    assert (seen.failing["since"], seen.failing["tries"]) == (first, 2)
    assert [(row.good, row.failed, row.cause) for row in rows(dead)] == [(0, 1, "unreachable")] * 2
    assert [event["kind"] for event in seen.events] == ["lost"]


def test_what_was_known_stays_and_the_return_is_an_event(other, slots):
    server, process = other
    sampler.sample([server], next(slots))
    process.kill()
    lost = next(slots)
    sampler.sample([server], lost)
    gone = snapshot(server)
    process.start()
    time.sleep(0.05)
    for _ in range(3):  # past the breaker, if it opened
        sampler.sample([server], next(slots))

    back = snapshot(server)

    assert gone.figures["memory"] > 0
    assert gone.failing["since"] == lost
    assert back.failing is None
    assert [event["kind"] for event in back.events] == ["lost", "back", "restart"]
    assert "Answers again after" in back.events[1]["text"]


def test_the_busiest_commands_are_counted_anew_after_a_restart(db, slots):
    with running() as own:
        server = Server.objects.create(name="Own", slug="own", nodes=f"127.0.0.1:{own.port}")

        def work_and_look():
            with own.client() as plain:
                for number in range(200):
                    plain.set(f"key:{number}", number)
            sampler.sample([server], next(slots))
            return snapshot(server)

        work_and_look()
        assert "SET" in {command["name"] for command in work_and_look().top}
        own.kill()
        own.start()
        clients.forget_all()

        assert work_and_look().top == []
        assert "SET" in {command["name"] for command in work_and_look().top}


def test_a_hanging_server_delays_no_other(server, other, slots):
    hanging, process = other
    slot = next(slots)
    sampler.sample([server, hanging], next(slots))
    process.pause()
    try:
        slot = next(slots)
        started = Waiting()
        sampler.sample([hanging, server], slot)
        took = started.seconds
    finally:
        process.resume()

    assert took < 2.0
    assert snapshot(server).failing is None
    assert snapshot(hanging).failing["cause"] in ("timeout", "deadline")
    assert rows(server)[-1].at == slot


def test_what_answered_is_kept_before_the_slow_are_in(server, other, slots, monkeypatch):
    hanging, process = other
    recorded = []
    process.pause()
    try:
        original = sampler._looks
        monkeypatch.setattr(
            sampler,
            "_looks",
            lambda *args: (
                recorded.append((started.seconds, len(one))) or one for one in original(*args)
            ),
        )
        started = Waiting()
        sampler.sample([server, hanging], next(slots))
    finally:
        process.resume()

    assert [count for _, count in recorded] == [1, 1]
    assert recorded[0][0] < 1.0


def test_a_slot_is_sampled_once_whoever_asks(server, monkeypatch):
    at = samples.slot()
    monkeypatch.setattr(samples, "slot", lambda: at)  # both calls fall in it

    assert [tasks.sample(), tasks.sample()] == [1, 0]


def test_only_watched_and_declared_servers_are_looked_at(server):
    Server.objects.create(name="Off", slug="off", nodes="127.0.0.1:1", watched=False)

    assert tasks.watched() == [server]


def test_without_home_a_task_is_a_line_in_the_log(server, home_process, caplog):
    home_process.kill()
    try:
        assert tasks.sample() == 0
        assert tasks.fold() == 0
    finally:
        home_process.start()


def test_folding_makes_the_minutes(server, slots):
    start = samples.slot() // 60 * 60 - 300
    for offset in range(0, 120, 2):
        sampler.sample([server], start + offset)

    assert tasks.fold() >= 2
    assert tasks.fold() == 0


def test_a_page_looks_itself_where_nobody_samples(server, monkeypatch):
    monkeypatch.setattr(sampler, "_STARTED", time.monotonic() - sampler.STARTING)
    known = sampler.current([server])

    assert known.without == "sampler"
    assert known.snapshots[server.pk].failing is None
    assert sampler.current([server]).without == ""


def test_in_the_first_minute_the_sampler_is_starting(server, monkeypatch):
    monkeypatch.setattr(sampler, "_STARTED", time.monotonic())

    assert sampler.current([server]).without == "starting"


def test_a_new_server_waits_for_its_first_look_and_nobody_is_alarmed(db):
    new = Server.objects.create(name="New", slug="new", nodes=f"127.0.0.1:{free_port()}")

    known = sampler.current([new])

    assert known.without == ""
    assert new.pk not in known.snapshots


def test_a_server_that_is_watched_again_waits_for_the_sampler_that_runs(server, other, monkeypatch):
    again, _ = other
    again.watched = False
    again.created = server.created
    again.save()
    at = samples.slot()
    monkeypatch.setattr(samples, "slot", lambda: at)
    assert tasks.sample() == 1
    again.watched = True
    again.save()

    known = sampler.current([again])

    assert (known.without, known.snapshots) == ("", {})


def test_the_samplers_beat_ends_when_it_keeps_nothing(server, home_process):
    samples.beat()

    with home_process.client() as home:
        assert 0 < home.ttl(f"{samples.prefix()}beat") <= samples.STALE


def test_a_page_looks_itself_where_home_is_away(server, home_process):
    home_process.kill()
    try:
        known = sampler.current([server])
    finally:
        home_process.start()

    assert known.without == "home"
    assert known.snapshots[server.pk].figures["memory"] > 0


def test_pages_do_not_queue_behind_each_others_looks(other, home_process, slots, monkeypatch):
    hanging, process = other
    monkeypatch.setattr(samples, "slot", lambda: next(slots))  # each page comes in its own slot
    home_process.kill()
    process.pause()
    started = Waiting()
    try:
        with ThreadPoolExecutor(3) as pages:
            known = list(pages.map(lambda _: sampler.current([hanging]), range(3)))
        took = started.seconds
    finally:
        process.resume()
        home_process.start()

    assert took < 2.0
    assert all(one.without == "home" for one in known)


def test_a_narrow_user_is_named_and_not_asked_again(server, data, slots):
    data.execute_command(
        "ACL", "SETUSER", "narrow", "reset", "on", ">pw", "~*", "+info", "+client", "+select"
    )
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()
    try:
        for _ in range(3):
            sampler.sample([server], next(slots))
        denied = [
            entry
            for entry in data.acl_log()
            if entry["username"] == "narrow" and "latency" in entry["object"]
        ]
    finally:
        data.execute_command("ACL", "DELUSER", "narrow")

    assert "latency" in snapshot(server).missing
    assert sum(int(entry["count"]) for entry in denied) == 1


def test_a_refused_password_is_said_as_such(server, slots):
    server.set_secret("password", "wrong")
    server.username = "nobody"
    server.save()
    sampler.sample([server], next(slots))

    assert snapshot(server).failing["cause"] == "auth"
    assert "wrong" not in snapshot(server).failing["detail"]


def test_the_sparkline_keeps_its_gaps():
    failed = Look({}, {}, 0.1, Trouble(Cause.TIMEOUT, "", "", "", None))
    before = Snapshot(slot=1000, recent=[5.0])

    after, _ = portrait.paint(Server(), before, {"sum": [50, 30.0, 3]}, failed, 1060)

    assert after.recent == [5.0, 10.0, None, None]


def test_beat_fires_once_in_every_slot(monkeypatch):
    every = schedule.aligned(2)
    now = time.time()
    monkeypatch.setattr(schedule.time, "time", lambda: now)
    just_ran = datetime.fromtimestamp(now // 2 * 2 + 0.001, UTC)
    ran_before = datetime.fromtimestamp(now // 2 * 2 - 0.5, UTC)

    assert not every.is_due(just_ran).is_due
    assert every.is_due(ran_before).is_due
    assert 0 < every.is_due(just_ran).next <= 2.02


def test_every_scheduled_task_exists_and_expires():
    app.loader.import_default_modules()
    for entry in schedule.SCHEDULE.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] <= 5 * entry["schedule"].seconds


def test_histograms_that_take_long_are_asked_rarely_and_said_last(server, data, slots):
    server.client().ping()
    for _ in range(2):
        sampler.sample([server], next(slots))
        data.ping()

    def counted():
        return data.info("commandstats")["cmdstat_latency|histogram"]["calls"]

    series, name = samples.series(), samples.name(server)
    note = json.loads(series.documents([name], "notes")[name])
    before = snapshot(server)
    stats = "latency|histogram"
    calls, usec, *others = note["nodes"][next(iter(note["nodes"]))]["commands"][stats]
    note["untimed"] = 0  # whatever the looks before took
    dear = {**note, "nodes": {}}
    for node, kept in note["nodes"].items():  # as if each had taken 100 ms since the last look
        commands = {**kept["commands"], stats: [calls, usec - 100_000, *others]}
        dear["nodes"][node] = {**kept, "commands": commands}
    asked = counted()
    _, after = portrait.paint(server, before, dear, sampler.look(server, dear), next(slots))
    assert counted() == asked + 1
    assert 250 <= after["untimed"] <= 300  # 500 s, and what the call took besides
    look = sampler.look(server, after)
    assert counted() == asked + 1  # not asked
    still, last = portrait.paint(server, before, after, look, next(slots))

    assert last["untimed"] == after["untimed"] - 1 and still.figures["p99"] == before.figures["p99"]
    assert [one["histograms"] for one in last["nodes"].values()] == [
        one["histograms"] for one in after["nodes"].values()
    ]
