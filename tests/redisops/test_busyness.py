"""How busy a server is for others: by two readings of its own account."""

from __future__ import annotations

import pytest
import redis

from redisops.busyness import Busyness, computed


def info(seconds: float) -> dict[str, float]:
    """As Redis 7 tells it: the whole process is another matter than the thread of the commands."""
    return {
        "used_cpu_user": 900.0 + seconds, "used_cpu_sys": 9.0,
        "used_cpu_user_main_thread": seconds, "used_cpu_sys_main_thread": 2.0,
    }  # fmt: skip


def test_it_is_what_others_took_between_two_readings() -> None:
    now = [100.0]
    busyness = Busyness(clock=lambda: now[0])
    assert busyness.told([info(1.0), info(5.0)]) is None
    now[0] += 0.5
    assert busyness.told([info(1.1), info(5.4)], own=0.2) == pytest.approx(0.4)  # the busiest
    now[0] += 0.5
    assert busyness.told([info(1.1), info(5.4)], own=0.4) == 0.0
    now[0] += 60
    assert busyness.told([info(9.0), info(9.0)]) is None  # long ago
    now[0] += 0.5
    assert busyness.told([info(0.1), info(0.1)]) is None  # other processes than before


def test_a_server_says_what_it_computed(client: redis.Redis) -> None:
    before = computed(client.info("cpu"))
    client.eval("for n = 1, 3000000 do end", 0)
    after = computed(client.info("cpu"))
    assert before is not None and after is not None and after > before
    assert computed({"used_cpu_user": 1.5, "used_cpu_sys": 0.5}) == 2.0
    assert computed({}) is None
