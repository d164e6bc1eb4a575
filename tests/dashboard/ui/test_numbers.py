"""Numbers and times read the same everywhere."""

from __future__ import annotations

import datetime

import pytest

from dashboard.ui import numbers

NOW = datetime.datetime(2026, 11, 22, 1, 47, 52, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "—"), (0, "0"), (640, "640"), (1204, "1,204"), (9999, "9,999"), (41_230, "41.2k"),
     (99_960, "100k"), (188_402, "188k"), (999_600, "1M"), (1_270_531, "1.27M"), (3.1e9, "3.1B"),
     (0.25, "0.2"), (12.34, "12.3"), (1.0, "1"), (-1204, "−1,204"), (5e15, "5000T")],
)  # fmt: skip
def test_count(value, words):
    assert numbers.count(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "—"), (0, "0 B"), (96, "96 B"), (1023, "1 KiB"), (1024, "1 KiB"), (1434, "1.4 KiB"),
     (40_909_500_416, "38.1 GiB"), (432_013_312, "412 MiB"), (1_975_684_956, "1.84 GiB"),
     (2**62, "4 EiB"), (-2048, "−2 KiB")],
)  # fmt: skip
def test_size(value, words):
    assert numbers.size(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "—"), (0, "0 s"), (0.0000042, "4 µs"), (0.0009, "0.9 ms"), (0.0382, "38.2 ms"),
     (0.412, "412 ms"), (1, "1 s"), (2.4, "2.4 s"), (9.97, "10 s"), (22, "22 s"), (60, "1 min"),
     (1005, "16 min 45 s"), (1371, "22 min 51 s"), (3600, "1 h"), (3605, "1 h"),
     (14_520, "4 h 2 min"), (41 * 86400, "41 d"), (90_000, "1 d 1 h"), (-5, "−5 s"),
     (datetime.timedelta(minutes=2), "2 min")],
)  # fmt: skip
def test_duration(value, words):
    assert numbers.duration(value) == words


@pytest.mark.parametrize(
    ("ago", "clock", "age"),
    [(0, "01:47:52", "now"), (1005, "01:31:07", "16 min ago"), (-90, "01:49:22", "in 1 min"),
     (7200, "21 Nov 23:47", "2 h ago"), (400 * 86400, "18 Oct 2025", "400 d ago")],
)  # fmt: skip
def test_a_moment_has_a_clock_time_and_an_age(ago, clock, age):
    value = NOW - datetime.timedelta(seconds=ago)

    assert numbers.clock(value, NOW) == clock
    assert numbers.age(value, NOW) == age


def test_the_exact_number_is_there_when_it_is_the_point():
    assert numbers.exact(1_270_531) == "1,270,531"
    assert numbers.exact(None) == "—"
