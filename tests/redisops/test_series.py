"""Figures over time in bounded space."""

import pytest

from redisops.series import LEVELS, AsyncSeries, Point, Series

FIELDS = {"commands": "mean", "memory": "max", "limit": "last"}
START = 1_800_000_000  # a whole ten minutes


@pytest.fixture
def series(build):
    return build(Series, AsyncSeries, "t:", FIELDS)


def points(count, *, start=START, name="a"):
    return [
        Point(name, start + 2 * i, {"commands": float(i), "memory": 100 + i, "limit": 500})
        for i in range(count)
    ]


def test_a_recorded_point_is_read_with_the_document(series):
    series.record([Point("a", START, {"commands": 1.5, "memory": None}, document=b"{}")])

    reading = series.read("a", START - 10, START + 10, 2)

    assert reading.document == b"{}"
    assert [(row.at, row.good, row.values) for row in reading.rows] == [
        (START, 1, (1.5, None, None))
    ]


def test_a_failed_look_is_a_row_that_says_why(series):
    series.record([Point("a", START, None, cause="timeout")])

    (row,) = series.read("a", START, START, 2).rows

    assert (row.good, row.failed, row.cause, row.values) == (0, 1, "timeout", ())


def test_a_step_recorded_twice_keeps_the_first(series):
    series.record(points(1))
    series.record([Point("a", START, {"commands": 99.0})])

    (row,) = series.read("a", START, START, 2).rows

    assert row.values[0] == 0


def test_a_gap_has_no_row(series):
    series.record(points(2))
    series.record(points(2, start=START + 20))

    assert [row.at - START for row in series.read("a", START, START + 60, 2).rows] == [0, 2, 20, 22]


def test_a_slot_is_claimed_once(series):
    assert [series.claim(7, 10), series.claim(7, 10), series.claim(8, 10)] == [True, False, True]


def test_folding_averages_rates_and_keeps_peaks(series):
    series.record(points(30))
    series.record([Point("a", START + 60, None, cause="timeout")])

    kept = series.fold(["a"], START + 200)

    assert kept == 2
    minute, failed = series.read("a", START, START + 3600, 60).rows
    assert (minute.at, minute.good, minute.failed) == (START, 30, 0)
    assert minute.values == (pytest.approx(14.5), 129, 500)
    assert (failed.at, failed.good, failed.failed, failed.cause) == (START + 60, 0, 1, "timeout")


def test_folding_waits_for_late_points_and_repeats_without_harm(series, client):
    series.record(points(30))

    assert series.fold(["a"], START + 61) == 0
    assert series.fold(["a"], START + 65) == 1
    assert series.fold(["a"], START + 70) == 0
    assert client.xlen(series.key("a", "1m")) == 1


def test_folding_catches_up_after_a_long_pause(series, client):
    series.record(points(900))  # half an hour

    series.fold(["a"], START + 1900)

    assert client.xlen(series.key("a", "1m")) == 30
    assert client.xlen(series.key("a", "10m")) == 3


def test_a_long_span_ends_with_what_is_not_folded_yet(series):
    series.record(points(400))  # thirteen minutes and twenty seconds
    series.fold(["a"], START + 800)

    rows = series.read("a", START, START + 800, 600).rows

    assert [row.at - START for row in rows] == [0, 600]
    assert [row.good for row in rows] == [300, 100]
    assert rows[1].values[1] == 499


@pytest.mark.parametrize("seconds", [2, 10, 60, 120])
def test_every_step_size_counts_each_look_once(series, seconds):
    series.record(points(200))
    series.fold(["a"], START + 401)

    rows = series.read("a", START, START + 401, seconds).rows

    assert sum(row.good for row in rows) == 200
    assert [row.at for row in rows] == sorted({row.at for row in rows})


def test_space_is_bounded(series, client):
    for start in range(0, 6000, 500):
        series.record(points(500, start=START + 2 * start))

    assert client.xlen(series.key("a", "2s")) <= LEVELS[0].rows + 200
    assert client.memory_usage(series.key("a", "2s"), samples=0) < 400_000


def test_reading_is_one_round_trip(client, server):
    series = Series(client, "t:", FIELDS)
    series.record(points(10))
    before = client.info("stats")["total_reads_processed"]

    series.read("a", START, START + 7200, 600)

    assert client.info("stats")["total_reads_processed"] - before == 2


def test_forgetting_leaves_nothing(series, client):
    series.record(points(40))
    series.record([Point("a", START + 90, None, document=b"x")])
    series.fold(["a"], START + 900)

    series.forget("a")

    assert client.dbsize() == 0


def test_rows_of_an_older_console_read_as_unknown(series, client):
    series.record(points(1))
    more = Series(client, "t:", {**FIELDS, "keys": "last"})
    more.record([Point("a", START + 2, {"keys": 7})])

    folded = more.read("a", START, START + 10, 10).rows

    assert folded[0].values[3] == 7
    assert client.xadd(series.key("b", "2s"), {"v": b"\x09junk"}, id=f"{START * 1000}-0")
    assert series.read("b", START, START, 2).rows[0].good == 0
