"""The pace: never above its limit in any second, rests for its share, slows with the server."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from redisops.errors import InvalidArgument
from redisops.latency import KEPT, LEAST, LEAST_IDLE, LEAST_UNKNOWN
from redisops.pace import Pace


class Clock:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def paced(limit: float | None = None, share: float | None = None) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(limit, share, clock=clock, sleep=clock.sleep), clock


def most_in_a_second(sent: list[tuple[float, int]]) -> int:
    """The most commands in any window of one second, wherever it begins."""
    return max(sum(count for at, count in sent if begin <= at < begin + 1.0) for begin, _ in sent)


@settings(max_examples=40)
@given(
    limit=some.floats(min_value=1, max_value=5000),
    most=some.integers(min_value=1, max_value=700),
    seed=some.integers(0, 1000),
)
def test_no_second_holds_more_than_the_limit(limit: float, most: int, seed: int) -> None:
    """Batches of any size that ``batch`` allows, idle times between, replies that take a while."""
    chance = random.Random(seed)
    pace, clock = paced(limit)
    sent: list[tuple[float, int]] = []
    begun = clock.now
    while clock.now - begun < 4 and len(sent) < 300:
        count = pace.batch(chance.randint(1, most))
        pace.wait(count)
        # The server gets them anywhere between the sending and the last reply.
        took = chance.choice([0.0, 0.001, 0.03])
        sent.append((clock.now + took * chance.random(), count))
        clock.now += took
        pace.spent(count, took)
        if chance.random() < 0.05:
            clock.now += chance.random() * 2
    assert most_in_a_second(sent) <= max(1, limit * 1.05)


def test_a_limit_is_used_up_and_not_only_kept() -> None:
    pace, clock = paced(1000)
    begun, done = clock.now, 0
    while clock.now - begun < 10:
        count = pace.batch(500)
        pace.wait(count)
        clock.now += 0.002
        pace.spent(count, 0.002)
        done += count
    assert 9_000 <= done <= 10_500


def test_a_limit_changed_on_the_way_counts_what_was_sent() -> None:
    pace, clock = paced(1000)
    sent = []
    for _ in range(20):
        pace.wait(50)
        sent.append((clock.now, 50))
    pace.set(limit=100, share=None)
    before = clock.now
    pace.wait(5)
    assert clock.now - before >= 0.9  # the second is full already


def test_a_share_makes_it_rest() -> None:
    pace, clock = paced(None, 0.05)
    begun, worked = clock.now, 0.0
    while clock.now - begun < 20:
        pace.wait(100)
        clock.now += 0.004
        worked += 0.004
        pace.spent(100, 0.004)
    assert 0.045 <= worked / (clock.now - begun) <= 0.055


def test_the_way_there_and_back_is_not_the_servers_time() -> None:
    """30 ms of network around 1 ms of work: a share of 10 % rests for the 1 ms."""
    pace, clock = paced(None, 0.1)
    begun, rounds = clock.now, 0
    while clock.now - begun < 20:
        pace.felt(0.030)
        pace.wait(100)
        clock.now += 0.031
        pace.spent(100, 0.031)
        rounds += 1
    assert rounds * 0.001 / 20 > 0.025  # and not 0.1 / 31 of it
    assert pace.state == ""


def test_it_backs_off_quickly_and_comes_back_slowly() -> None:
    pace, _ = paced(1000)
    for _ in range(50):
        pace.felt(0.001)
    assert (pace.state, pace.batch(500)) == ("", 50)
    for _ in range(20):
        pace.felt(0.020, 0.9)
    assert pace.latency.factor == LEAST
    assert pace.state == (
        "Slowed to 10%: the server answered in 20.0 ms instead of the usual 1.7 ms, "
        "and was busy for 90% of the time."
    )
    for _ in range(10):
        pace.felt(0.001)
    assert LEAST < pace.latency.factor < 0.5
    for _ in range(50):
        pace.felt(0.001)
    assert (pace.latency.factor, pace.state) == (1.0, "")


@pytest.mark.parametrize(
    ("busy", "least", "words"),
    [
        (0.02, LEAST_IDLE, " ms, but was not busy: the network or the console's machine is slow."),
        (None, LEAST_UNKNOWN, " ms."),
    ],
)
def test_answers_that_come_late_by_no_fault_of_the_server_do_not_starve_the_work(
    busy: float | None, least: float, words: str
) -> None:
    """A machine with too little time for this process: every answer is read ten times as late."""
    pace, clock = paced(None, 0.05)
    for _ in range(50):
        pace.felt(0.001)
    begun, worked = clock.now, 0.0
    while clock.now - begun < 20:
        pace.felt(0.010, busy)
        pace.wait(100)
        clock.now += 0.004
        pace.spent(100, 0.014, server=0.004)
        worked += 0.004
    assert pace.latency.factor == least
    assert worked / 20 > 0.05 * least * 0.9
    assert pace.state.endswith(words), pace.state


def test_a_server_that_was_busy_once_is_not_believed_idle_at_once() -> None:
    pace, _ = paced()
    for _ in range(20):
        pace.felt(0.001)
    for _ in range(20):
        pace.felt(0.020, 1.0)
    for _ in range(4):
        pace.felt(0.020, 0.0)
    assert pace.latency.factor == LEAST


def test_without_a_ceiling_a_slow_server_is_left_time_all_the_same() -> None:
    pace, clock = paced()
    for _ in range(50):
        pace.wait(100)
        clock.now += 0.01
        pace.spent(100, 0.01)
    unhindered = clock.now
    assert unhindered == pytest.approx(1000.5)
    for _ in range(10):
        pace.wait(100)
        clock.now += 0.1
        pace.spent(100, 0.1)
    assert clock.now - unhindered > 2.5  # a second of work, and more rest


def test_one_slow_answer_or_a_bigger_batch_is_no_slow_server() -> None:
    pace, _ = paced()
    for _ in range(20):
        pace.spent(10, 0.001)
    for _ in range(10):
        pace.spent(1000, 0.080)
    assert pace.latency.factor == 1.0
    for _ in range(20):
        pace.felt(0.001)
    pace.felt(0.050)
    pace.felt(0.001)
    for _ in range(10):
        pace.spent(10, 0.080)  # heavy values; a small command is answered as ever
    assert pace.latency.factor == 1.0


def test_what_stays_slow_becomes_usual() -> None:
    pace, _ = paced()
    for _ in range(20):
        pace.felt(0.001)
    for _ in range(5000):
        pace.felt(0.010)
    assert pace.latency.factor == 1.0


def test_quantiles_are_of_the_recent_answers() -> None:
    pace, _ = paced()
    assert pace.latency.quantile(0.99) is None
    for n in range(KEPT + 100):
        pace.felt(0.001 if n < KEPT + 90 else 0.005)
    assert pace.latency.quantile(0.5) == 0.001
    assert pace.latency.quantile(0.99) == 0.005


def test_broken_rules_are_quoted() -> None:
    for limit, share in ((0, None), (-1, None), (None, 0), (None, 1.5)):
        with pytest.raises(InvalidArgument):
            Pace(limit, share)
    pace, _ = paced(100)
    with pytest.raises(InvalidArgument, match="batch"):
        pace.wait(106)
    assert Pace(1000, 0.05).ceiling == "1,000 commands/s, 5% of the server's time"
    assert Pace(None, 0.025).ceiling == "2.5% of the server's time"
    assert Pace(None, None).ceiling == "no ceiling"


def test_who_sleeps_by_himself_gets_the_sleep_that_the_pace_was_given() -> None:
    pace, clock = paced(1000)
    pace.sleep(pace.before(50) + 3.0)
    assert clock.now >= 1003.0


def test_nobody_is_charged_more_than_the_server_computed():
    pace, _ = paced(share=0.05)
    pace.told(100.0)
    pace.spent(1_000, 0.5, server=0.5)  # half a second here, most of it waiting for a processor
    assert pace.before(1) > 4

    pace.told(100.01)  # of which the server computed a hundredth of a second, for all its clients

    assert pace.used == pytest.approx(0.01)
    assert pace.before(1) < 0.2


def test_a_server_that_tells_nothing_or_began_anew_gives_nothing_back():
    pace, _ = paced(share=0.05)
    for told in (100.0, 3.0, None):
        pace.told(told)
        pace.spent(1_000, 0.5, server=0.5)

    assert pace.used == pytest.approx(1.5)


def test_a_question_about_the_server_waits_for_the_limit_alone():
    pace, clock = paced(limit=100, share=0.05)
    pace.spent(1, 10.0, server=10.0)
    sent = []
    for _ in range(250):
        clock.sleep(pace.room(1))
        sent.append((clock.now, 1))

    assert clock.now < 1004  # not what the share would make it rest
    assert most_in_a_second(sent) <= 105
