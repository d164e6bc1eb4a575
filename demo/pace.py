"""How fast the shop lives: gently, and never evenly, so that plots have something to say."""

from __future__ import annotations

import asyncio
import math
import random
import time


def busyness(now: float) -> float:
    """A factor around 1: a slow tide of 11 minutes, a wave of 97 s, and a rush now and then."""
    tide = 1 + 0.35 * math.sin(now / 660 * math.tau)
    wave = 1 + 0.2 * math.sin(now / 97 * math.tau)
    rush = 1.8 if now % 420 < 25 else 1.0
    return tide * wave * rush


async def pause(per_second: float) -> None:
    """Wait as long as a service waits that does ``per_second`` turns in an ordinary second."""
    rate = per_second * busyness(time.time())
    await asyncio.sleep(min(random.expovariate(rate), 10 / rate))
