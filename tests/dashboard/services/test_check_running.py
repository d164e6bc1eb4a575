"""When whom is checked: places of their own, missed turns, and whom a checker does not believe."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from dashboard.services.checks.exchange import Outcome
from dashboard.services.checks.gate import Gate
from dashboard.services.checks.quick import Quick
from dashboard.services.checks.running import MOST_YOUNG, Runs
from dashboard.services.checks.spec import Check
from dashboard.services.checks.wheel import Target, Wheel
from tests.dashboard.services.checking import (
    HTTP,
    come,
    listen,
    silent,
)


def test_a_checker_that_reaches_nobody_of_a_zone_says_nothing_of_it(loopback: None) -> None:
    def made(name: str, port: int, zone: str = "a") -> Target:
        return Target("shop", name, "127.0.0.1", port, zone, 1, "passing", Check(timeout=1))

    async def run() -> None:
        server, port = await listen(silent)
        gate, now = Gate(), asyncio.get_running_loop().time()
        dead, alone, there = made("dead", 1), made("alone", 1, "b"), made("there", port)
        other = made("other", 0)  # of which nothing can be learnt
        gate.add(dead)
        gate.add(other)
        gate.add(alone)

        assert not await gate.believes(dead, now, redis_answers=True)
        assert await gate.believes(alone, now, redis_answers=True)
        assert not await gate.believes(alone, now, redis_answers=False)
        gate.zones["a"].looked_at = float("-inf")
        gate.remove(other)
        gate.add(there)
        assert await gate.believes(dead, now, redis_answers=True)  # it looked, and found the other
        later = asyncio.get_running_loop().time() + 5
        assert not await gate.believes(dead, later, redis_answers=True)
        server.close()

    asyncio.run(run())


def test_silence_takes_no_place_of_others_and_what_the_kernel_holds_counts(loopback: None) -> None:
    """Many accept and keep silent, known for it: all others begin at once nevertheless."""
    told: list[tuple[str, str]] = []

    class Watching:
        redis_answers, gate = True, Gate()

        def ended(self, target: Target, begun: float, outcome: Outcome, *said: str) -> None:
            told.append((target.id, said[0]))

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=2_000) as listener:
            port, loop = listener.getsockname()[1], asyncio.get_running_loop()
            wheel = Wheel()
            runs = Runs(wheel, 5_000)

            def due(name: str, check: Check, **known: Any) -> None:
                one = Target("s", name, "127.0.0.1", port, "", 1, "critical", check, Watching())
                for key, value in known.items():
                    setattr(one, key, value)
                wheel.add(one)

            silent = MOST_YOUNG + 100
            for n in range(silent):
                due(f"silent {n}", Check(timeout=10), is_slow=True)
            while len(runs) < silent:
                runs.begin(loop.time())
            for n in range(MOST_YOUNG):
                due(f"open {n}", Check(kind="tcp", timeout=10))
            runs.begin(loop.time())
            assert len(runs) == silent + MOST_YOUNG
            await come(lambda: len(told) == MOST_YOUNG)
            assert {state for _, state in told} == {"pass"}
            await runs.close()

        # Its answer is here when its time is over, and this loop was elsewhere: it counts.
        listener = socket.create_server(("127.0.0.1", 0))
        behind, found = [0.0], []

        async def asked(check: Check) -> tuple[Quick, socket.socket]:
            port = listener.getsockname()[1]
            one = Quick(loop, check, "127.0.0.1", port, lambda: behind[0], found.append)
            peer, _ = listener.accept()
            await come(lambda: one._reads)
            return one, peer

        one, peer = await asked(Check())
        peer.send(HTTP.encode())
        one.late()
        assert one.is_over and found.pop().state == "pass"
        peer.close()
        # It had less than its time because of us: it gets the rest, once, and then it counts.
        one, peer = await asked(Check())
        behind[0], until = 1.0, one.deadline
        one._acted += 1.5
        one.late()
        assert not one.is_over and one.deadline > until + 1
        one.late()
        assert one.is_over and found.pop().why == "connected, but no answer within 2 s"
        peer.close()
        listener.close()

    asyncio.run(run())


def test_what_a_lost_watcher_had_is_checked_soon_where_its_turn_was_missed() -> None:
    one = Target("shop", "a", "127.0.0.1", 1, "", 1, "passing", Check(interval=60.0))
    one.begin(0.0)
    place = one.due
    one.begin(place + 3.0)
    assert one.due == pytest.approx(place + 60)
    one.begin(place + 3.0, missed=5.0)
    assert place + 3 <= one.due <= place + 15
    one.begin(place + 30.0, missed=5.0)
    assert one.due == pytest.approx(place + 60)
