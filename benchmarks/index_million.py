"""Count a million keys in the background: how soon, how much it disturbs others, in what memory.

    python -m benchmarks.index_million [keys]

The first visit of the tree begins the pass; a worker of its own process does the job, the
truth is read off the page, and a second pass is felt by a client that asks at a steady pace.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

import redis

from benchmarks._rig import Claims, RedisProcess, console, running, seed

WORKER = """
import json, os, sys
os.nice(10)  # as `make run` starts it
def kib(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name))
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
from dashboard.jobs import engine
from dashboard.jobs.models import Job
from dashboard.servers.models import Server
Server.objects.get(slug="home").client().ping()
before = kib("VmRSS")
print("ready", flush=True)
sys.stdin.readline()
engine.run(int(sys.argv[1]))
after = kib("VmHWM")
print(json.dumps({"kib": after - before}), flush=True)
"""
EACH = 0.002  # seconds between two questions of the steady client
TURN = 1.0  # seconds of each turn, with the count and without it
WARM = 0.1  # seconds after a turn begins that belong to neither


class Steady(threading.Thread):
    """A client that asks for one key every 2 ms and keeps what each answer took."""

    def __init__(self, server: RedisProcess) -> None:
        super().__init__(daemon=True)
        self.client: redis.Redis = server.client()
        self.took: dict[str, list[float]] = {"with": [], "without": []}
        self.turn = ""
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            turn, begun = self.turn, time.perf_counter()
            self.client.get("session:1")
            if turn and turn == self.turn:
                self.took[turn].append(time.perf_counter() - begun)
            time.sleep(EACH)

    def p99(self, turn: str) -> float:
        """Milliseconds."""
        took = sorted(self.took[turn])
        return took[int(len(took) * 0.99)] * 1000


def worker_of(job: int | None) -> subprocess.Popen[str]:
    """A worker's process, connected and waiting for the word to do that job."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(job)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    assert worker.stdout is not None
    worker.stdout.readline()
    return worker


def begin(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()


def in_turns(server: RedisProcess, worker: subprocess.Popen[str]) -> Steady:
    """What a steady client feels with the count and without it, in turns of one second.

    The worker is held (SIGSTOP) every other turn, so that whatever else the machine does falls
    on both alike.
    """
    steady = Steady(server)
    steady.start()
    begin(worker)
    while worker.poll() is None:
        for turn, what in (("with", signal.SIGCONT), ("without", signal.SIGSTOP)):
            steady.turn = ""
            worker.send_signal(what)
            time.sleep(WARM)
            steady.turn = turn
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(TURN)
        worker.send_signal(signal.SIGCONT)
    steady.ends.set()
    steady.join()
    return steady


def main() -> int:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    claims = Claims("index_million")
    with running() as server:
        seed(server, keys)
        browser = console(server, shared=True)
        from dashboard.keys.survey.models import Pass

        browser.get("/servers/home/keys/")
        browser.post("/servers/home/analysis/visit/")
        worker = worker_of(Pass.objects.get().job_id)
        began = time.monotonic()
        begin(worker)
        assert worker.stdout is not None
        told = worker.stdout.readline()
        took = time.monotonic() - began
        worker.wait()

        tree = browser.get("/servers/home/keys/").content.decode()
        lines = dict(re.findall(r'<bdi>([^<]*)</bdi></span><span class="n">([\d,]+)<', tree))
        print(f"  tree: {lines}")

        browser.post("/servers/home/analysis/count/")
        steady = in_turns(server, worker_of(Pass.objects.latest("pk").job_id))
        busy, idle = steady.p99("with"), steady.p99("without")
        asked = {turn: len(times) for turn, times in steady.took.items()}
        print(f"  p99 with {busy:.3f} ms, without {idle:.3f} ms, of {asked} answers")

        claims.at_most("seconds until the tree has true counts", took, 60)
        claims.exactly("keys below session:", int(lines["session:"].replace(",", "")), keys - 5_000)
        claims.exactly("keys below shop:", int(lines["shop:"].replace(",", "")), 5_000)
        claims.at_most("p99 of a steady client, times without", busy / idle, 1.5)
        mib = int(re.findall(r"\d+", told)[0]) / 1024
        claims.at_most("worker memory, MiB more", mib, 150 if keys <= 1_000_000 else 200)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
