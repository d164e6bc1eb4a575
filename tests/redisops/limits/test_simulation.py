"""The model in Python and the scripts in Lua say the same, microsecond by microsecond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redisops.limits import Limit, Simulation
from redisops.limits.model import BUCKETS
from tests.redisops.limits.clocked import START, Clocked

KINDS = ["fixed_window", "sliding_log", "sliding_counter", "gcra"]  # the buckets are one script
WRAPS = 7 * 2**48  # the scripts keep times modulo 2**48 us: an instant at which they begin anew

# Long enough that no key ends by the real clock within a test.
PERIODS = st.one_of(
    st.sampled_from([100.0, 3600.0, 86_400.0]),
    st.floats(100, 1e6, allow_nan=False).map(lambda period: round(period, 6)),
)
LIMITS = st.one_of(st.integers(1, 7), st.integers(1, 100_000))
# How far the clock goes, in periods; back, too.
STEPS = st.one_of(
    st.just(0.0),
    st.floats(0, 0.3, allow_nan=False),
    st.floats(-2.5, 2.5, allow_nan=False),
    st.sampled_from([1.0, 2.0, 1 / 3, -1e-9]),
)


@st.composite
def limits(draw: st.DrawFn, kind: str) -> Limit:
    limit = draw(LIMITS)
    burst = draw(st.one_of(st.none(), LIMITS)) if kind in BUCKETS else None
    period = draw(PERIODS)
    if burst and burst * period / limit > 3e7:
        burst = None
    return Limit("sim", limit, period, kind, burst=burst)


@st.composite
def stories(draw: st.DrawFn, kind: str) -> tuple[Limit, int, list[tuple[Any, ...]]]:
    """A limit, when it begins, and what happens: (step in periods, cost, take, a new limit)."""
    limit = draw(limits(kind))
    costs = st.one_of(st.just(1), st.integers(1, 4), st.integers(1, limit.capacity + 2))
    events = st.tuples(
        STEPS,
        costs,
        st.sampled_from([True, True, True, False]),
        st.one_of(*[st.none()] * 6, limits(kind)),
    )
    start = draw(st.sampled_from([START, START + 1, WRAPS, WRAPS - 1_000_000]))
    return limit, start, draw(st.lists(events, max_size=30))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=35, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_model_decides_as_the_scripts_do(client: redis.Redis, kind: str, data: Any) -> None:
    limit, now, events = data.draw(stories(kind))
    client.flushall()
    alone = Clocked(client, limit, now=now)
    among = Clocked(client, limit, alone=False, subject=b"v", now=now)
    model = Simulation(limit)
    pipe = client.pipeline(transaction=False)
    expected, readers = [], []

    for step, cost, take, changed in events:
        now += round(step * limit.period_us)
        if changed is not None:
            limit = changed
            model.change(changed)
        decide = model.hit if take else model.peek
        for one in (alone, among):
            one.now, one.limit = now, limit
            expected.append(replace_subject(decide(b"u", now, cost)) if one is alone else None)
            pipe.execute_command(*one.command(cost, take=take))
            readers.append((replace(one), cost, take))
    replies = pipe.execute()

    for index, (reply, (one, cost, take)) in enumerate(zip(replies, readers, strict=True)):
        wanted = expected[index - index % 2]
        assert replace_subject(one.read(reply, cost, take=take)) == wanted
        assert all(type(number) is int for number in reply)
    assert -1 not in [client.pttl(key) for key in client.scan_iter()]


def replace_subject(verdict: Any) -> Any:
    """The verdict without its subject, in which the two ways differ."""
    return verdict._replace(parts=tuple(part._replace(subject=b"") for part in verdict.parts))


def test_a_model_forgets_subjects_that_have_everything_back() -> None:
    model = Simulation(Limit("many", 2, 1))

    for number in range(20_000):
        model.hit(b"%d" % number, START + number * 10_000)

    assert len(model) < 3_000
    assert not model.hit(b"19999", START + 19_999 * 10_000, 2)


def test_a_model_goes_on_under_another_limit() -> None:
    model = Simulation(Limit("live", 5, 60))
    model.hit("u", START, 5)

    model.change(Limit("live", 6, 60))
    more = [model.hit("u", START).allowed for _ in range(2)]
    model.change(Limit("live", 6, 60, "sliding_log"))

    assert more == [True, False]
    assert model.hit("u", START).remaining == 5
    assert model.reset("u")
    assert not model.reset("u")


def test_a_log_of_many_hits_stays_quick_in_the_model() -> None:
    model = Simulation(Limit("long", 20_000, 60, "sliding_log"))

    verdicts = [model.hit("u", START + number) for number in range(20_001)]

    assert [one.allowed for one in verdicts[-2:]] == [True, False]
    assert verdicts[-1].retry_after == pytest.approx(60 - 0.02)
