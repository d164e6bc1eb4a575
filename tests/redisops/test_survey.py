"""Surveys: counts equal the truth, samples tell how sure they are, a walk can stop and go on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.connection import connect
from redisops.errors import InvalidArgument
from redisops.pace import Pace
from redisops.survey import AsyncSurvey, Figures, Survey
from redisops.survey.estimates import Sums, share
from redisops.survey.folders import DEEPEST, ROOT, Folders
from redisops.survey.samples import Facts, Sample
from redisops.survey.tally import Tally
from tests.hostile import NAMES
from tests.servers import Cluster, RedisProcess, restricted

NARROW = ("~*", "+@read", "-@dangerous", "+ping")


def done(survey: Any) -> Figures:
    while not survey.advance(0.2).is_done:
        pass
    figures: Figures = survey.figures()
    return figures


def truth(keys: list[bytes]) -> Counter[bytes]:
    """How many keys are below each folder, counted the slow way."""
    found: Counter[bytes] = Counter()
    for key in keys:
        found[ROOT] += 1
        end = key.find(b":")
        while end >= 0:
            found[key[: end + 1]] += 1
            end = key.find(b":", end + 1)
    return found


def test_counts_equal_the_truth_for_hostile_names(
    build: Callable[..., Any], client: redis.Redis
) -> None:
    keys = [*NAMES, *(b"a:" + name for name in NAMES), *(name + b":b" for name in NAMES)]
    keys = list(dict.fromkeys(keys))
    client.mset(dict.fromkeys(keys, b"x"))

    figures = done(build(Survey, AsyncSurvey))

    expected = {
        name: many
        for name, many in truth(keys).items()
        if name.count(b":") <= DEEPEST and len(name) <= 1024
    }
    told = {name: figures.folder(name) for name in expected}
    assert {name: one.keys for name, one in told.items() if one} == expected
    assert figures.counted == figures.root.keys == len(keys) == figures.root.measured
    assert figures.root.bytes.is_exact
    assert figures.root.bytes.value == sum(client.memory_usage(key, samples=5) for key in keys)


def test_facts_of_every_kind_are_told(build: Callable[..., Any], client: redis.Redis) -> None:
    client.set("s:1", "x" * 5000)
    client.set("s:2", "x", ex=30)
    client.set("s:3", "x", ex=90_000)
    client.rpush("l:1", 1, 2, 3)

    figures = done(build(Survey, AsyncSurvey))

    strings = figures.folder(b"s:")
    assert strings is not None and strings.ttl == [1, 1, 0, 0, 1, 0, 0]
    assert strings.sizes is not None and sum(strings.sizes) == 3 and strings.sizes[4] == 1
    assert {name: keys for name, (keys, _) in figures.root.types.items()} == {
        "string": 3,
        "list": 1,
    }
    assert figures.root.idle == [4, 0, 0, 0, 0, 0]
    assert figures.biggest[0][1:3] == ("s:1", "string")
    assert strings.without_expiry is not None and strings.without_expiry.value == 1 / 3
    assert Figures.unpacked(figures.packed()).root.keys == 4


def test_a_walk_goes_on_in_another_process_with_the_same_counts(server: RedisProcess) -> None:
    with server.client() as plain:
        plain.mset({f"cart:{n % 9}:{n}": "x" * (n % 50) for n in range(3000)})
    link = connect(server.url)
    whole = done(Survey(link, samples=200))

    survey = Survey(link, samples=200)
    walked = 0
    while not survey.advance(0.0001).is_done:
        walked += 1
        survey = Survey(link, state=survey.state())
    figures = survey.figures()

    assert walked > 3
    assert figures.counted == 3000
    assert [(one.name, one.keys) for one in figures.children(b"cart:")] == [
        (one.name, one.keys) for one in whole.children(b"cart:")
    ]
    link.close()


def test_a_server_that_restarts_is_counted_from_its_start() -> None:
    """Its cursors mean nothing to the next process; nothing is counted twice."""
    with RedisProcess() as own:
        keys = {f"cart:{n}": n for n in range(2000)}
        with own.client() as plain:
            plain.mset(keys)
        survey = Survey(connect(own.url))
        survey.advance(0.0001)
        own.kill()
        with pytest.raises(redis.RedisError):
            survey.advance(5)
        own.start()
        with own.client() as plain:
            plain.mset(keys)

        survey = Survey(connect(own.url), state=survey.state())
        figures = done(survey)

    assert figures.counted == 2000
    assert survey.facts["again"] == 1


def test_a_cluster_is_walked_node_by_node(cluster: Cluster) -> None:
    link = connect(cluster.url)
    for number in range(600):
        link.set(f"cart:{number % 5}:{number}", "x" * number)

    figures = done(Survey(link, samples=None))
    half = Survey(link)
    half.advance(0.0001)
    again = done(Survey(link, state=half.state()))

    assert figures.counted == again.counted == 600
    assert [one.keys for one in figures.children(b"cart:")] == [120] * 5
    assert len(figures.facts["nodes"]) == 3
    assert figures.root.bytes.is_exact
    link.close()


def test_a_narrow_user_counts_and_measures(server: RedisProcess) -> None:
    with server.client() as plain:
        plain.mset({f"cart:{n}": n for n in range(500)})

    figures = done(Survey(connect(restricted(server, *NARROW))))

    assert figures.folder(b"cart:").keys == 500  # type: ignore[union-attr]
    assert figures.root.bytes.is_exact and figures.root.ttl == [500, 0, 0, 0, 0, 0, 0]
    assert figures.facts["missing"] == ["info"]


@pytest.mark.parametrize(
    ("refused", "lost"),
    [("type", "types"), ("pttl", "ttl"), ("memory|usage", "sizes"), ("object|idletime", "idle")],
)
def test_each_right_that_lacks_is_named_and_the_rest_is_told(
    redis_process: RedisProcess, refused: str, lost: str
) -> None:
    redis_process.reset()
    with redis_process.client() as plain:
        plain.mset({f"cart:{n}": n for n in range(100)})

    url = restricted(redis_process, "~*", "+@all", f"-{refused}")
    figures = done(Survey(connect(url)))

    assert figures.counted == figures.measured == 100
    assert figures.facts["missing"] == [refused]
    told = {name: getattr(figures.root, name) for name in ("ttl", "sizes", "idle")}
    told["types"] = None if "unknown" in figures.root.types else figures.root.types
    assert [name for name, value in told.items() if value is None] == [lost]


def test_use_is_told_where_the_policy_counts_it(server: RedisProcess) -> None:
    with server.client() as plain:
        plain.config_set("maxmemory-policy", "allkeys-lfu")
        try:
            plain.mset({f"cart:{n}": n for n in range(50)})
            for _ in range(3000):
                plain.get("cart:7")
            figures = done(Survey(connect(server.url)))
        finally:
            plain.config_set("maxmemory-policy", "noeviction")

    assert figures.facts["use"] == "FREQ"
    assert figures.root.idle is None
    assert figures.root.frequency is not None and sum(figures.root.frequency) == 50
    assert figures.hottest[0][1] == "cart:7"


def test_folders_are_capped_and_their_keys_stay_counted() -> None:
    rnd = random.Random(7)
    keys = [b"user:%d:name" % rnd.randrange(3000) for _ in range(8000)]
    keys += [b"big:%d:x" % (n % 3) for n in range(6000)]
    rnd.shuffle(keys)
    tally = Tally(limit=50)
    for start in range(0, len(keys), 500):
        tally.count([b"%s%d" % (key, n) for n, key in enumerate(keys[start : start + 500], start)])
    figures = Figures.of(tally)
    expected = truth(keys)

    assert len(tally.folders) <= 50
    assert figures.root.keys == len(keys)
    for name in (b"user:", b"big:"):
        folder = figures.folder(name)
        assert folder is not None and folder.keys == expected[name]
        inside = sum(child.keys for child in figures.children(name))
        assert inside + folder.own + folder.other == folder.keys
    for folder in figures.children(b"user:") + figures.children(b"big:"):
        assert folder.keys <= expected[folder.name] <= folder.keys + folder.unseen
    assert [one.keys for one in figures.children(b"big:")] == [2000] * 3


def test_parts_are_put_together() -> None:
    keys = [b"a:%d:%d" % (n % 40, n) for n in range(2000)]
    whole, one, other = Tally(limit=20), Tally(limit=20), Tally(limit=20)
    whole.count(keys)
    one.count(keys[:700])
    other.count(keys[700:])
    one.join(Tally.unpacked(other.packed()))

    for tally in (whole, one):
        figures = Figures.of(tally)
        assert figures.root.keys == figures.counted == 2000
        assert len(figures) <= 20
        for folder in figures.children(b"a:"):
            assert folder.keys <= 50 <= folder.keys + folder.unseen


def test_deep_and_long_names_are_counted_in_the_folder_around() -> None:
    tally = Tally()
    tally.count([b"d:" * 400 + b"x", b"n" * 5000 + b":x", b":" * 60])

    root = Figures.of(tally).root

    assert root.keys == 3
    assert len(tally.folders) < 3 * DEEPEST


@pytest.mark.parametrize("delimiter", [b"::", b"/", b"\xff"])
def test_any_delimiter_divides(delimiter: bytes) -> None:
    tally = Tally(delimiter)
    tally.count([delimiter.join([b"a", b"b", b"c"]), delimiter.join([b"a", b"d"]), b"e"])
    figures = Figures.of(tally)

    assert [one.name for one in figures.children()] == [b"a" + delimiter]
    assert [one.name for one in figures.children(b"a" + delimiter)] == [
        b"a" + delimiter + b"b" + delimiter
    ]


def test_names_that_scan_repeats_are_counted_once() -> None:
    tally = Tally()
    tally.count([b"a", b"b", b"a"])
    tally.count([b"b", b"c"])
    tally.count([b"a", b"d"])

    assert (tally.counted, tally.repeated) == (4, 3)


def test_the_range_holds_the_truth_about_as_often_as_it_says() -> None:
    rnd = random.Random(11)
    held = folders_held = asked = 0
    for _ in range(30):
        sizes = {
            b"%s:%d" % (kind, n): max(40, round(rnd.lognormvariate(mean, 0.7)))
            for kind, mean, many in ((b"small", 4, 3000), (b"large", 7, 400), (b"few", 6, 60))
            for n in range(many)
        }
        keys = list(sizes)
        rnd.shuffle(keys)
        tally = Tally(step=20, room=100)
        for start in range(0, len(keys), 300):
            chosen = tally.count(keys[start : start + 300])
            tally.note(Facts(key, "string", -1, sizes[key], None, None) for key in chosen)
        figures = Figures.of(tally)
        told = figures.root.bytes
        held += told.low <= sum(sizes.values()) <= told.high
        for folder in figures.children():
            true = sum(size for key, size in sizes.items() if key.startswith(folder.name))
            folders_held += folder.bytes.low <= true <= folder.bytes.high
            asked += 1

    assert held >= 30 * 0.8
    assert folders_held >= asked * 0.8
    assert told.within is not None and 0.005 < told.within < 0.25


def test_what_was_not_measured_is_not_claimed() -> None:
    sums = Sums()
    sums.add(100, None)
    assert sums.total().high == float("inf")

    sample = Sample()
    sample.add(Facts(b"a", "string", -1, 80, None, None))
    sums.add(10, sample)
    told = sums.total()

    assert (told.measured, told.keys) == (1, 110)
    assert told.low <= told.value <= told.high
    none = share(0, 30, 30, 1000)
    assert none.low == 0 and 0.05 < none.high < 0.15


def test_it_keeps_to_its_share_of_the_servers_time(server: RedisProcess) -> None:
    with server.client() as plain:
        plain.mset({f"cart:{n}": n for n in range(5000)})
    rests: list[float] = []
    survey = Survey(connect(server.url), pace=Pace(share=0.01))
    survey.pause = rests.append

    done(survey)

    # What a call took here may be told as 0 by a coarse clock; its least price never is.
    used = survey.pace.used
    assert used > 0
    assert sum(rests) > 50 * used


def test_limits_in_commands_are_kept(server: RedisProcess) -> None:
    with server.client() as plain:
        plain.mset({f"cart:{n}": n for n in range(300)})
    survey = Survey(connect(server.url), pace=Pace(limit=100, share=None))
    survey.pause = lambda seconds: None

    assert done(survey).measured == 300


def test_a_state_of_another_version_is_refused() -> None:
    from redisops.survey.tally import deflated

    with pytest.raises(InvalidArgument, match="version"):
        Survey(None, state=deflated({"version": 99}))
    with pytest.raises(InvalidArgument, match="delimiter"):
        Folders(b"")
