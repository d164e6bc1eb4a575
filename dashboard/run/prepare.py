"""Prepare a checkout: virtual environment, packages, static files. A warm start does nothing.

    python3 prepare.py run | test | lint

Started by make with any Python 3 and only its standard library. What was installed is noted as
a digest of the files that asked for it, so that a pull which changes a pin is noticed and an
unchanged checkout costs a few milliseconds. Missing tools: one sentence, exit code 2.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
OLDEST_NODE = 18
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Refusal(Exception):
    """One sentence that says what to do."""


def digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256(str(ROOT).encode())
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def listing(directories: Iterable[Path]) -> str:
    """A digest of names, sizes and times: enough to see that a file changed."""
    total = hashlib.sha256(str(ROOT).encode())
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            seen = path.stat()
            total.update(f"{path}:{seen.st_size}:{seen.st_mtime_ns}\n".encode())
    return total.hexdigest()


def noted(stamp: Path, value: str) -> bool:
    return stamp.is_file() and stamp.read_text() == value


def call(command: list[str], words: str, hint: str, **environment: str) -> None:
    """Run a step, say so first, and show its output only when it fails."""
    print(words + " ...", flush=True)
    done = subprocess.run(
        command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode("utf-8", "replace")[-4000:])
        raise Refusal(hint)


def environment() -> None:
    """A virtual environment of this Python, in the checkout."""
    if sys.version_info < OLDEST:
        raise Refusal(
            f"Python 3.11 or later is needed and {sys.executable} is older: install one, or "
            "name it with `make run PYTHON=python3.12`."
        )
    if PYTHON.exists() and (VENV / "bin" / "pip").exists():
        return
    call(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        "Creating .venv",
        "Python's venv module does not work here: install it (Debian, Ubuntu: `apt install "
        "python3-venv`) and try again.",
    )


def python_packages(names: list[str]) -> None:
    files = [ROOT / name for name in names]
    stamp, value = VENV / ("." + names[-1] + ".installed"), digest(files)
    if noted(stamp, value):
        return
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    call(
        [*command, "--no-input", "-r", str(files[-1])],
        f"Installing Python packages ({names[-1]})",
        "The Python packages could not be installed (see above): check the network, then try "
        "again.",
    )
    stamp.write_text(value)


def node_packages() -> None:
    lock = ROOT / "package-lock.json"
    stamp, value = ROOT / "node_modules" / ".installed", digest([lock])
    if noted(stamp, value):
        return
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise Refusal(
                f"`{tool}` is not on PATH: install Node.js {OLDEST_NODE} or later "
                "(https://nodejs.org, or `apt install nodejs npm`) and try again."
            )
    said = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, check=True).stdout
    version = said.decode().strip().lstrip("v")
    if int(version.split(".")[0]) < OLDEST_NODE:
        raise Refusal(
            f"Node.js {OLDEST_NODE} or later is needed and this is {version}: install a newer "
            "one and try again."
        )
    call(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        "Installing front-end packages (package-lock.json)",
        "`npm ci` failed (see above): check the network, then try again.",
    )
    stamp.write_text(value)


def static_files(target: Path | None = None) -> None:
    """collectstatic, when a source, a package, or the code that chooses them has changed.

    Into ``target``, else ``STATIC_ROOT``, else ``staticfiles`` of the checkout. Earlier files
    stay (their names carry a hash): a console that runs still serves them.
    """
    chosen = [ROOT / "dashboard" / "ui" / name for name in ("finders.py", "storage.py")]
    sources = [ROOT / "package-lock.json", ROOT / "requirements.txt", *filter(Path.exists, chosen)]
    target = target or Path(os.environ.get("STATIC_ROOT") or ROOT / "staticfiles")
    stamp, value = target / ".built", digest(sources) + listing([ROOT / "static"])
    if noted(stamp, value) and (target / "staticfiles.json").is_file():
        return
    call(
        [str(PYTHON), "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        "Preparing static files",
        "The static files could not be prepared (see above).",
        STATIC_ROOT=str(target),
    )
    stamp.write_text(value)


def apt(packages: list[str]) -> None:
    """Install system packages when we may; a failure is not fatal, the tests say what they miss."""
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"Installing {', '.join(packages)} ...", flush=True)
    calm = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(
            command, env=calm, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            print(f"`{' '.join(command)}` failed; going on without.", file=sys.stderr)
            return


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def test_tools() -> None:
    """A second Redis flavour and a browser: through apt, else Playwright's own download."""
    missing = [] if shutil.which("redis-server") else ["redis-server"]
    apt(missing + ([] if chromium() else ["chromium"]))
    if chromium() is not None:
        return
    print("Downloading Chromium (playwright install) ...", flush=True)
    command = [str(PYTHON), "-m", "playwright", "install", "chromium"]
    done = subprocess.run(command, cwd=str(ROOT), stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        print("No Chromium can be installed: the browser tests will not run.", file=sys.stderr)


def main(purpose: str) -> int:
    os.chdir(str(ROOT))
    environment()
    if purpose == "lint":
        python_packages(["requirements.txt", "requirements-dev.txt"])
        return 0
    if purpose == "test":
        python_packages(["requirements.txt", "requirements-dev.txt"])
        node_packages()
        static_files()
        test_tools()
        return 0
    python_packages(["requirements.txt"])
    node_packages()
    static_files()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
