import asyncio

import pytest
import redis

from redisops.steps import Awaiting, Blocking, Steps, step


class _Counter:
    def __init__(self, client, key):
        self.redis = client
        self.key = key

    @step
    def add(self, amount: int) -> Steps[int]:
        """Add to the counter."""
        total = yield self.redis.incrby(self.key, amount)
        return int(total)

    @step
    def add_twice(self, amount: int) -> Steps[int]:
        yield self.add(amount)
        return (yield self.add(amount))

    @step
    def add_or_zero(self, amount: int) -> Steps[int]:
        try:
            return (yield self.redis.incrby(self.key, amount))
        except redis.ResponseError:
            return 0


class Counter(_Counter, Blocking):
    pass


class AsyncCounter(_Counter, Awaiting):
    pass


def test_a_step_hands_each_reply_back_to_its_body(build):
    counter = build(Counter, AsyncCounter, "n")

    assert counter.add(3) == 3
    assert counter.add(4) == 7


def test_a_step_may_yield_another_step(build):
    assert build(Counter, AsyncCounter, "n").add_twice(5) == 10


def test_an_error_arrives_at_the_yield(build, client):
    client.rpush("n", "a list")

    assert build(Counter, AsyncCounter, "n").add_or_zero(1) == 0


def test_an_error_that_the_body_leaves_reaches_the_caller(build, client):
    client.rpush("n", "a list")

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        build(Counter, AsyncCounter, "n").add(1)


async def test_cancellation_arrives_at_the_yield():
    seen = []

    class Sleeper(Awaiting):
        @step
        def rest(self) -> Steps[None]:
            try:
                yield self.pause(30)
            finally:
                seen.append("tidied up")

    task = asyncio.create_task(Sleeper().rest())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["tidied up"]


def test_a_step_keeps_its_name_and_docstring():
    assert _Counter.add.__doc__ == "Add to the counter."
    assert _Counter.add.__name__ == "add"
