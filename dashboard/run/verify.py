"""`make lint`, `make test` and `make bench`: the steps in order, each under its own heading.

    python verify.py lint | lint test | bench

Lint goes on to its next step after a failure, so that one call shows everything that is wrong;
the exit code is 1 when any step failed.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent


def step(title: str, *command: str) -> bool:
    print(f"\n== {title}", flush=True)
    return subprocess.run([*command], cwd=ROOT, check=False).returncode == 0


def lint() -> bool:
    results = [
        step("ruff check", str(BIN / "ruff"), "check", "."),
        step("ruff format", str(BIN / "ruff"), "format", "--check", "."),
        step("mypy", str(BIN / "mypy")),
        step("import rules", str(BIN / "lint-imports"), "--no-cache"),
    ]
    return all(results)


def test() -> bool:
    # A module's server and its fixtures are started once, on one of three processes: on two cores
    # there is room for a third, since much of what a test does is to wait for servers.
    chosen = os.environ.get("TESTS", "tests").split()
    parallel = ["-n", os.environ.get("TEST_PROCESSES", "3"), "--dist", "loadfile"]
    # By file, in the order of tests/conftest.py.
    parallel.append("--no-loadscope-reorder")
    # Thousands of real servers, threads and browsers on a busy machine: a few failures are tried
    # once more, and what passes only then is printed with its traceback, to be mended.
    again = ["--reruns", "1", "--max-suite-reruns", "5", "--rerun-show-tracebacks"]
    return step("tests", sys.executable, "-m", "pytest", *parallel, *again, "-q", *chosen)


def bench() -> bool:
    claim = os.environ.get("CLAIM", "")
    scripts = sorted((ROOT / "benchmarks").glob(f"{claim or '[a-z]*'}.py"))
    if not scripts:
        print(f"There is no benchmarks/{claim}.py.", file=sys.stderr)
        return False
    results = [step(path.stem, sys.executable, "-m", f"benchmarks.{path.stem}") for path in scripts]
    return all(results)


def main(names: list[str]) -> int:
    steps = {"lint": lint, "test": test, "bench": bench}
    results = [steps[name]() for name in names]  # a failed step does not hide the next one
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
