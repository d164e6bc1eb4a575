"""A whole console for tests: Uvicorn, and Celery when asked, as the processes people run.

For what a test client cannot show: sockets, recovery after a fault, a browser. Home and the
watched servers are real and are handed in, so that a test can pause, kill or starve them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from dashboard.run.prepare import static_files
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery"
# What `make run` does before it starts the programs, in one process.
SET_UP = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
for name in ("ensure_home", "seed_limits", "sync_servers", "ensure_admin"):
    call_command(name)
"""


class Console:
    """A console on ``home_url``; ``servers`` are declared by name and URL as code, all of them
    as ``environment``.

    ``with Console(home.url, {"shop": shop.url}, worker=True) as console:`` starts web and one
    Celery worker with beat inside it. ``console.visit()`` gives a signed-in HTTP client.
    """

    def __init__(
        self,
        home_url: str,
        servers: dict[str, str] | None = None,
        *,
        worker: bool = False,
        environment: str = "staging",
    ) -> None:
        self.worker = worker
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.data = Path(tempfile.mkdtemp(prefix="redisops-console-"))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        declared = "".join(
            f"- {{name: {name}, url: '{url}', environment: {environment}}}\n"
            for name, url in (servers or {}).items()
        )
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "DJANGO"))},
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "REDISOPS_DATA": str(self.data),
            "REDIS_URL": home_url,
            "REDISOPS_SERVERS": declared,
            "REDISOPS_ADMIN_PASSWORD": PASSWORD,
            "STATIC_ROOT": str(ROOT / "staticfiles"),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DEMO": "0",
            "DEBUG": "0",
            "CHECK_NETWORKS": "127.0.0.0/8",
        }

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` in this console's environment; its output, or its failure."""
        return self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.stdout[-500:]}{done.stderr[-2000:]}")
        return done.stdout

    def spawn(self, name: str, *command: str) -> None:
        with (self.data / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip

    def start(self) -> Console:
        static_files(ROOT / "staticfiles")
        self.run("-c", SET_UP)
        self.start_web()
        if self.worker:
            self.start_worker()
        return self

    def start_web(self) -> None:
        self.spawn(
            "web", "uvicorn", "dashboard.asgi:application", "--host", "127.0.0.1",
            "--port", str(self.port), "--ws", "websockets-sansio", "--ws-max-size", "65536",
            "--lifespan", "off", "--log-level", "warning",
        )  # fmt: skip
        end = time.monotonic() + 240
        while time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.origin}/healthz", timeout=1).status_code == 200:
                    return
            if self.processes["web"].poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the console did not answer: {self.log('web')[-2000:]}")

    def start_worker(self) -> None:
        self.spawn(
            "worker", "celery", "-A", "dashboard", "worker", "--beat", "--pool", "threads",
            "--queues", "celery,jobs", "--concurrency", "4",
            "--schedule", str(self.data / "beat"), "--loglevel", "warning",
        )  # fmt: skip

    def see_that_all_run(self) -> None:
        """RuntimeError with its exit code and last words where one of the processes has ended."""
        for name, process in self.processes.items():
            if (code := process.poll()) is not None:
                raise RuntimeError(f"{name} ended with {code}: {self.log(name)[-2000:]}")

    def log(self, name: str) -> str:
        return (self.data / f"{name}.log").read_text(errors="replace")

    def visit(self, username: str = "admin", password: str = PASSWORD) -> httpx.Client:
        """A client with the cookies of a signed-in person."""
        client = httpx.Client(base_url=self.origin, follow_redirects=False, timeout=60)
        page = client.get("/account/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found, page.text[:500]
        answer = client.post(
            "/account/login/",
            data={
                "username": username,
                "password": password,
                "csrfmiddlewaretoken": found.group(1),
            },
            headers={"Origin": self.origin},
        )
        assert answer.status_code == 302, answer.text[:2000]
        return client

    def stop(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.terminate()
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def remove(self) -> None:
        for name in list(self.processes):
            self.stop(name)
        shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self) -> Console:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *details: object) -> None:
        self.remove()
