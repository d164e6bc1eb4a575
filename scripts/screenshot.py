"""Make the pictures of the documentation from a living console with its demo.

    .venv/bin/python scripts/screenshot.py [--seconds 90] [--out docs/images] [--all]

Starts a console of its own in a temporary directory, lets the demo run for a while so that plots
have something to show, signs in and takes the pictures. ``--all`` takes every page at 1440 and
390 px, light and dark, for looking at rather than for the documentation.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dashboard.run.prepare import chromium, static_files  # noqa: E402
from tests.servers import free_port  # noqa: E402

PAGES = {
    "overview": "servers/home/",
    "keys": "servers/home/keys/",
    "analysis": "servers/home/analysis/",
    "jobs": "servers/home/jobs/",
    "recycle-bin": "servers/home/recycle-bin/",
    "console": "servers/home/console/",
    "search": "servers/home/search/",
    "fleet": "",
    "servers": "servers/",
    "audit": "audit/",
    "account": "account/",
    "users": "users/",
    "teams": "teams/",
    "help": "help/",
}
FOR_DOCS = {
    "overview": "servers/home/",
    "keys": "servers/home/keys/?prefix=shop:",
    "analysis": "servers/home/analysis/?prefix=shop:",
}
COUNTED = 20_000  # milliseconds that the demo's keys take to be counted, and much more
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "Redisops is ready" in line:
            return
    raise SystemExit("the console did not start")


def drain(process: subprocess.Popen[str]) -> None:
    """Keep the pipe empty, and what was said last for when something goes wrong."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.write(line)


def sign_in(page: Page, origin: str, password: str) -> None:
    page.goto(f"{origin}account/login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(origin)


def count_keys(page: Page, origin: str) -> None:
    """Look at the keys until they are counted, so that the tree and the analysis have figures."""
    page.goto(f"{origin}servers/home/analysis/")
    page.wait_for_selector("table.t", timeout=COUNTED)


def dry_run(page: Page, origin: str) -> None:
    """Open what would be deleted below a folder; nothing is deleted."""
    page.goto(f"{origin}servers/home/bulk/?do=delete&prefix=shop:receipt:")
    page.get_by_role("button", name="Count the keys").click()
    page.wait_for_selector("#bulk-page form [name=confirm]", timeout=COUNTED)
    page.reload()


def take(browser: Browser, origin: str, password: str, out: Path, *, everything: bool) -> None:
    names = PAGES if everything else FOR_DOCS
    shapes = product((1440, 390), ("light", "dark")) if everything else [(1440, "light")]
    for width, theme in shapes:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
        )
        page = context.new_page()
        sign_in(page, origin, password)
        for name, path in names.items():
            if name == "keys":  # after the overview, whose plots the count would fill
                count_keys(page, origin)
            page.goto(origin + path)
            page.wait_for_timeout(4_000 if "home" in path else 500)  # two frames of live figures
            suffix = f"-{width}-{theme}" if everything else ""
            page.screenshot(path=str(out / f"{name}{suffix}.png"), full_page=everything)
        dry_run(page, origin)
        suffix = f"-{width}-{theme}" if everything else ""
        page.screenshot(path=str(out / f"dry-run{suffix}.png"), full_page=everything)
        context.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=90, help="how long the demo runs before")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="every page, width and theme")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    data, port, password = tempfile.mkdtemp(), free_port(), secrets.token_urlsafe(12)
    given = {"REDISOPS_DATA": data, "PORT": str(port), "REDISOPS_ADMIN_PASSWORD": password}
    static_files()
    with subprocess.Popen(
        [sys.executable, "-m", "dashboard.run"],
        cwd=ROOT, env={**os.environ, **given}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            wait_until_ready(process)
            threading.Thread(target=drain, args=[process], daemon=True).start()
            time.sleep(options.seconds)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
                origin = f"http://127.0.0.1:{port}/"
                take(browser, origin, password, options.out, everything=options.all)
                browser.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=40)
            shutil.rmtree(data, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
