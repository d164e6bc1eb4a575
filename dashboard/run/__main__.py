"""``python -m dashboard.run``: the console with everything it needs, until a signal.

Checks come first: when one fails, one sentence says what to do, the exit code is 2 and nothing
was started. Then the database is made ready, then one manager runs the embedded server (when
REDIS_URL is unset), web, worker, beat and the demo. The address is printed when it answers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from dashboard.run import checks, programs
from dashboard.run.checks import ROOT, Address, Refusal
from dashboard.run.programs import Program

TETHER = Path(__file__).with_name("tether.py")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboard.run", description=__doc__)
    parser.add_argument("--dev", action="store_true", help="reload on change, show tracebacks")
    parser.add_argument(
        "--follow-parent",
        action="store_true",
        help="stop when the process that started this one dies (`make run` asks for it)",
    )
    return parser.parse_args()


def follow_parent() -> None:
    """``kill -9`` of make must end us as its Ctrl-C does; where the kernel can, ask it to."""
    from dashboard.run.tether import die_with_parent

    parent = os.getppid()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(1)


def read_settings() -> ModuleType:
    """The settings, without setting Django up; what they refuse, in one sentence."""
    from django.core.exceptions import ImproperlyConfigured

    try:
        from dashboard import settings
    except ImproperlyConfigured as error:
        raise Refusal(f"{str(error).rstrip('.')}.") from error
    except ValueError as error:
        raise Refusal(f"A setting has a value that cannot be read: {error}.") from error
    return settings


def checked(data: Path) -> tuple[ModuleType, IO[str]]:
    """Every check, cheapest first, and the lock that keeps a second console away."""
    lock = checks.alone(data)
    settings = read_settings()
    checks.port_free(Address(settings.HOST, settings.PORT))
    if not settings.DEBUG:
        checks.static_files_built(settings.STATIC_ROOT)
    if not settings.REDIS_IS_EMBEDDED:
        checks.redis_answers(settings.REDIS_URL)
    return settings, lock


def set_up() -> dict[str, Any]:
    """Run the setup process; what it says of the first admin, or its refusal passed on."""
    tether = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), "KILL", "-"]
    done = subprocess.run(
        [*tether, sys.executable, "-m", "dashboard.run.setup", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 2:
        raise Refusal(json.loads(done.stdout.splitlines()[-1])["refusal"])
    if done.returncode != 0:
        raise Refusal(f"The database could not be made ready.\n{done.stderr.strip()}")
    sys.stderr.write(done.stderr)
    admin: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return admin


def sign_in(admin: dict[str, Any]) -> list[str]:
    """How to sign in for the first time; nothing when there was an admin already."""
    if not admin["created"]:
        return []
    if not admin["password"]:
        return [f"  Sign in as {admin['username']} with the password you chose."]
    return [
        f"  Sign in as {admin['username']}, password {admin['password']}",
        "  (shown this once; change it under Account)",
    ]


def write_news(data: Path, settings: ModuleType, admin: dict[str, Any]) -> Path:
    """What is announced once the page answers; 0600 and short-lived: it can hold a password."""
    address = Address(settings.HOST, settings.PORT)
    script = settings.FORCE_SCRIPT_NAME or ""
    shown = address.url(script)
    if settings.PRODUCTION:  # only the TLS proxy is answered with pages
        host = settings.ALLOWED_HOSTS[0].removeprefix(".")
        shown = f"https://{host}{script.rstrip('/')}/  (your TLS proxy in front of {shown})"
    words = ["", f"  Redisops is ready:  {shown}", *sign_in(admin)]
    if settings.REDIS_IS_EMBEDDED:
        words.append(f"  An embedded server keeps its data in {data}")
    words += ["  Ctrl-C stops everything and keeps all data.", ""]
    news = {
        "probe": address.url(script) + "account/login/",
        "host": settings.ALLOWED_HOSTS[0].removeprefix(".") if settings.PRODUCTION else "localhost",
        "secure": settings.PRODUCTION,
        "words": "\n".join(words),
        "sign_in": "\n".join(sign_in(admin)),
    }
    path = data / "announce.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(news, file)
    return path


def described(
    data: Path, settings: ModuleType, servers: list[Program], news: Path, *, dev: bool
) -> Path:
    """The manager's configuration for these settings, written into the data directory."""
    (data / "log").mkdir(mode=0o700, exist_ok=True)
    address = Address(settings.HOST, settings.PORT)
    consoles = [
        programs.web(address, dev=dev),
        programs.announce(news),
        programs.worker(dev=dev),
        programs.jobs(dev=dev),
        programs.services(dev=dev),
        programs.beat(data, dev=dev),
    ]
    if settings.DNS_PORT:
        consoles.append(programs.dns(dev=dev))
    if settings.DEMO:
        # By environment: a command line can be read by every user of the machine.
        os.environ["DEMO_REDIS_URL"] = settings.REDIS_URL
        consoles.append(programs.demo())
    path = data / "supervisor.conf"
    path.write_text(programs.configuration(data, servers, consoles))
    return path


def run(options: argparse.Namespace) -> int:
    os.umask(0o077)
    if options.dev:
        os.environ["DEBUG"] = "1"
    data = checks.data_directory()
    settings, lock = checked(data)
    with lock:
        checks.sign(lock, f"process {os.getpid()}, port {settings.PORT}")
        embedded = settings.REDIS_IS_EMBEDDED
        servers = [programs.redis(data, settings.REDIS_URL)] if embedded else []
        news = write_news(data, settings, set_up())
        from dashboard.run.manager import manage

        return manage(described(data, settings, servers, news, dev=options.dev))


def main() -> int:
    options = arguments()
    # Until the manager takes over, a signal ends us as Ctrl-C does: nothing was started yet.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        if options.follow_parent:
            follow_parent()
        return run(options)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
