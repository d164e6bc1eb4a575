"""A flood of XADD with 50 people on its live tail: what a browser, a worker and the counts stand.

    python -m benchmarks.stream_flood [seconds of flood, 60] [--trace FILE]

One Uvicorn worker, 49 bare sockets and one real browser (Chromium) on the same stream. First 100
entries a second: the time from XADD to the row in the page. Then 20,000 a second, pipelined by a
process of its own: how often the page changes, how busy its main thread is, how much the worker
grows, and whether every entry was shown or declared as not shown, for every viewer.

``--trace`` records what the page's main thread does in five seconds of the flood, with its
JavaScript, layout and paint; the file opens in Chromium's DevTools, Performance, "Load profile".
Recording costs the page time: the figures of such a run are worse than those of one without.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from typing import Any

import psutil

from benchmarks._rig import Claims, browser, console, running
from benchmarks.live_fanout import _await_port, worker
from tests.servers import free_port

VIEWERS = 50
RATE, FLOOD = 100, 20_000
CALM_SECONDS = 8.0
KEY = "bench:flood"
TRACED = 5.0  # seconds
CATEGORIES = [
    "-*", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8.execute", "toplevel",
    "disabled-by-default-v8.cpu_profiler", "blink.user_timing", "loading", "__metadata",
]  # fmt: skip
WATCH = """() => {
  window.lags = [];
  const table = document.getElementById("tail-rows");
  new MutationObserver((found) => {
    requestAnimationFrame(() => {
      const now = Date.now();
      for (const one of found) for (const row of one.addedNodes) {
        if (row.dataset?.id) window.lags.push(now - Number(row.dataset.id.split("-")[0]));
      }
    });
  }).observe(table.tBodies[0], { childList: true });
}"""


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("seconds", nargs="?", type=float, default=60.0)
    asked.add_argument("--trace", metavar="FILE")
    told = asked.parse_args()
    claims = Claims("stream_flood")
    with running() as home:
        client = console(home, shared=True)
        from django.conf import settings

        name, value = settings.SESSION_COOKIE_NAME, client.cookies["session"].value
        port = free_port()
        with home.client() as plain, worker(port) as process:
            _await_port(port)
            plain.xadd(KEY, {"n": 0})
            asyncio.run(_measure(claims, told, home.port, port, (name, value), process))
    return claims.finish()


async def _measure(
    claims: Claims, asked: argparse.Namespace, redis_port: int, port: int,
    cookie: tuple[str, str], process: psutil.Process,
) -> None:  # fmt: skip
    from redisops.keys import to_url

    place = f"/servers/home/streams/{to_url(KEY.encode())}/"
    async with browser(f"http://127.0.0.1:{port}", cookie) as page:
        await page.goto(f"http://127.0.0.1:{port}{place}")
        await page.wait_for_function(
            "document.querySelector('[data-live-mark]').textContent.startsWith('Live')"
        )
        await page.evaluate(WATCH)
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Performance.enable")
        renderers = _renderers(psutil.Process())
        last = await page.get_attribute("[data-tail]", "data-last")
        viewers = [
            asyncio.create_task(_view(port, place, cookie, str(last))) for _ in range(VIEWERS - 1)
        ]
        await asyncio.sleep(1.5)

        added = calm = await _add(redis_port, RATE, CALM_SECONDS)
        await asyncio.sleep(1.0)
        lags = sorted(await page.evaluate("window.lags"))
        p95 = lags[int(len(lags) * 0.95)]
        print(f"  {RATE}/s: {len(lags)} rows of {added}, median {lags[len(lags) // 2]} ms")
        claims.at_most("XADD to pixel at 100 rows/s, p95 ms", p95, 300)

        grown = process.memory_info().rss
        before, busy, began = (
            await _figures(page, devtools, renderers),
            _busy(process),
            time.monotonic(),
        )
        flooding = asyncio.create_task(_add(redis_port, FLOOD, asked.seconds))
        if asked.trace:
            await _record(page, asked.trace, asked.seconds)
        added += await flooding
        after, took = await _figures(page, devtools, renderers), time.monotonic() - began
        grown = process.memory_info().rss - grown
        spent = (_busy(process) - busy) / took * 100
        print(f"  flood: {added:,} entries, worker {spent:.0f} % of a core, {took:.1f} s")
        pace = (added - calm) / took
        claims.at_least("entries added per second of the flood", pace, FLOOD * 0.8)
        claims.at_most("DOM updates per second", (after[0] - before[0]) / took, 10)
        # Its own processor time: the time that other processes of the machine took from it is
        # no work of the page.
        print(f"  main thread: tasks took {(after[1] - before[1]) / took * 100:.0f} % of the time")
        claims.at_most("main thread of the page, %", (after[2] - before[2]) / took * 100, 50)
        claims.at_most("memory of the worker, MB more", grown / 2**20, 50)

        await asyncio.sleep(3.0)
        told = await page.evaluate("window.RedisopsTail")
        print(f"  browser: {told}")
        counted = told["rows"] + told["capped"] + told["missed"]
        claims.exactly("browser: shown + declared - added", counted - added + told["unknown"], 0)
        wrong = 0
        for viewer in viewers:
            viewer.cancel()
            shown, declared, unknown = await viewer
            wrong += shown + declared != added or unknown > 0
        claims.exactly("other viewers whose counts differ", wrong, 0)


async def _record(page: Any, name: str, seconds: float) -> None:
    """A trace of a few seconds in the middle of the flood, into a file."""
    await asyncio.sleep(max((seconds - TRACED) / 2, 0))
    await page.context.browser.start_tracing(page=page, path=name, categories=CATEGORIES)
    await asyncio.sleep(TRACED)
    size = len(await page.context.browser.stop_tracing())
    print(f"  {TRACED:.0f} s of the flood recorded, {size / 2**20:.1f} MB")


async def _figures(
    page: Any, devtools: Any, renderers: list[psutil.Process]
) -> tuple[int, float, float]:
    """How often the page drew; seconds of its main thread's tasks, and of processor in them."""
    told = await devtools.send("Performance.getMetrics")
    metrics = {one["name"]: one["value"] for one in told["metrics"]}
    updates = await page.evaluate("window.RedisopsTail.updates")
    mains = [one for process in renderers for one in process.threads() if one.id == process.pid]
    spent = sum(one.user_time + one.system_time for one in mains)
    return updates, metrics["TaskDuration"], spent


def _renderers(own: psutil.Process) -> list[psutil.Process]:
    """The browser's processes that pages run in; all but ours rest."""
    found = []
    for one in own.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in one.cmdline():
                found.append(one)
    return found


async def _view(port: int, place: str, cookie: tuple[str, str], last: str) -> tuple[int, int, int]:
    """A viewer without a page: rows, what was declared as not shown, gaps of unknown size."""
    from websockets.asyncio.client import connect

    shown = declared = unknown = 0
    address = f"ws://127.0.0.1:{port}/ws{place}tail/100/?after={last}"
    headers = {"Cookie": "=".join(cookie)}
    async with connect(
        address, additional_headers=headers, origin=f"http://127.0.0.1:{port}"
    ) as socket:
        try:
            async for text in socket:
                found = json.loads(text)
                for message in found if isinstance(found, list) else [found]:
                    if message["t"] == "rows":
                        for _, (fields, skipped) in message["rows"]:
                            shown += fields is not None
                            declared += skipped
                    elif message["t"] == "gap":
                        declared += message["missed"] or 0
                        unknown += message["missed"] is None
        except asyncio.CancelledError:
            pass
    return shown, declared, unknown


async def _add(redis_port: int, rate: int, seconds: float) -> int:
    """Entries added, by a process of its own."""
    words = [sys.executable, "-m", "benchmarks.stream_flood", "add"]
    process = await asyncio.create_subprocess_exec(
        *words, str(redis_port), str(rate), str(seconds), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    added = int(await process.stdout.readline())
    await process.wait()
    return added


def add(port: int, rate: int, seconds: float) -> int:
    """Add at a steady rate, in pipelines when it is high; how many."""
    import redis

    added, began = 0, time.monotonic()
    each = max(rate // 100, 1)
    with redis.Redis(port=port) as plain:
        while (passed := time.monotonic() - began) < seconds:
            behind = int(passed * rate) - added
            if behind < each:
                time.sleep(0.002)
                continue
            pipe = plain.pipeline(transaction=False)
            for n in range(added, added + min(behind, 1000)):
                pipe.xadd(KEY, {"order": f"NO-{n}", "via": "web"}, maxlen=200_000, approximate=True)
            added += len(pipe.execute())
    return added


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    if sys.argv[1:2] == ["add"]:
        print(add(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
        sys.exit(0)
    sys.exit(main())
