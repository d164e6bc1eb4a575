"""From a write in Redis to the pixel of somebody who watches: a score, and a stream's entry.

    python -m benchmarks.score_to_pixel [seconds of each, 20]

One Uvicorn worker and a real Chromium. A board of 10,000 members moves by 100 writes a second;
among them one member, on the page, is given the time as its score, and what counts is when the
page has painted it. Then the same with a stream that gets 100 entries a second, whose ids are
times. Both ends are on one machine, so there is one clock.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from benchmarks._rig import Claims, browser, console, running
from benchmarks.live_fanout import _await_port, worker
from benchmarks.stream_flood import KEY, RATE, WATCH, _add
from tests.servers import free_port

BOARD, PROBE = "bench:board", "probe"
MEMBERS = 10_000
APART = (0.3, 0.5)  # seconds between two probes: no rhythm that the looks could share
# The page changes its rows in the step of a frame that comes just before the paint: what is asked
# for from there by a timer runs after it.
PAINTED = """() => {
  window.shown = [];
  const body = document.querySelector("[data-board] tbody");
  let last = 0;
  new MutationObserver(() => {
    const row = [...body.rows].find((one) => one.textContent.includes("probe"));
    const score = Number(row?.querySelector(".score").textContent.replaceAll(",", "") || 0);
    if (score === last) return;
    last = score;
    window.setTimeout(() => window.shown.push([score, Date.now()]));
  }).observe(body, { childList: true, subtree: true, characterData: true });
}"""
LIVE = "document.querySelector('[data-live-mark]').textContent.startsWith('Live')"


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    claims = Claims("score_to_pixel")
    with running() as home:
        client = console(home, shared=True)
        from django.conf import settings

        name, value = settings.SESSION_COOKIE_NAME, client.cookies["session"].value
        port = free_port()
        with home.client() as plain, worker(port):
            _await_port(port)
            plain.xadd(KEY, {"n": 0})
            plain.zadd(BOARD, {f"player:{n}": n for n in range(MEMBERS)})
            plain.zadd(BOARD, {PROBE: time.time() * 1000})
            asyncio.run(_measure(claims, seconds, home.port, port, (name, value)))
    return claims.finish()


async def _measure(
    claims: Claims, seconds: float, redis_port: int, port: int, cookie: tuple[str, str]
) -> None:
    from redisops.keys import to_url

    origin = f"http://127.0.0.1:{port}"
    async with browser(origin, cookie) as page:
        board = to_url(BOARD.encode())
        await page.goto(f"{origin}/servers/home/leaderboards/keys/{board}/")
        await page.wait_for_function(LIVE)
        await page.evaluate(PAINTED)
        written = await _score(redis_port, seconds)
        await asyncio.sleep(1.5)
        _judge(claims, "score", _lags(written, await page.evaluate("window.shown")), len(written))

        await page.goto(f"{origin}/servers/home/streams/{to_url(KEY.encode())}/")
        await page.wait_for_function(LIVE)
        await page.evaluate(WATCH)
        added = await _add(redis_port, RATE, seconds)
        await asyncio.sleep(1.5)
        _judge(claims, "XADD", await page.evaluate("window.lags"), added)


def _lags(written: list[int], shown: list[list[int]]) -> list[int]:
    """Of each write, how long until the page had it or one that is newer."""
    found = []
    for score in written:
        painted = next((at for what, at in shown if what >= score), None)
        if painted is not None:
            found.append(painted - score)
    return found


def _judge(claims: Claims, name: str, lags: list[int], sent: int) -> None:
    lags = sorted(lags)
    print(
        f"  {name}: {len(lags)} of {sent} seen, median {lags[len(lags) // 2]} ms, "
        f"p99 {lags[int(len(lags) * 0.99)]} ms"
    )
    claims.exactly(f"{name}: written - seen", sent - len(lags), 0)
    claims.at_most(f"{name} to pixel, p95 ms", lags[int(len(lags) * 0.95)], 300)


async def _score(redis_port: int, seconds: float) -> list[int]:
    """The probe's scores, written by a process of its own among other writes."""
    words = [sys.executable, "-m", "benchmarks.score_to_pixel", "score"]
    process = await asyncio.create_subprocess_exec(
        *words, str(redis_port), str(seconds), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    scores: list[int] = json.loads(output)
    return scores


def score(port: int, seconds: float) -> list[int]:
    """100 writes a second to members at random; the probe's now and then. Its scores."""
    import redis

    chance = random.Random(5)
    written: list[int] = []
    began, done, due = time.monotonic(), 0, 0.5
    with redis.Redis(port=port) as plain:
        while (passed := time.monotonic() - began) < seconds:
            if passed >= due:
                due = passed + chance.uniform(*APART)
                written.append(int(time.time() * 1000))
                plain.zadd(BOARD, {PROBE: written[-1]})
            while done < passed * RATE:
                member = f"player:{MEMBERS - 1 - int(chance.expovariate(0.02)) % MEMBERS}"
                plain.zincrby(BOARD, chance.randrange(1, 50), member)
                done += 1
            time.sleep(0.002)
    return written


if __name__ == "__main__":
    if sys.argv[1:2] == ["score"]:
        print(json.dumps(score(int(sys.argv[2]), float(sys.argv[3]))))
        sys.exit(0)
    sys.exit(main())
