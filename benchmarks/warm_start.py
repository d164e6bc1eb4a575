"""How long a warm `make run` takes from the command to the first page, demo included.

    python -m benchmarks.warm_start

The best of three starts counts: the claim is about the console, not about what else the machine
does meanwhile. Needs what `make test` installs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._rig import Claims
from tests.run.conftest import ROOT, Console

STARTS = 3


def main() -> int:
    claims = Claims("warm_start")
    with tempfile.TemporaryDirectory() as folder:
        static = Path(folder) / "static"
        subprocess.run(
            [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
            cwd=ROOT, env={**os.environ, "STATIC_ROOT": str(static)}, check=True,
        )  # fmt: skip
        console = Console(Path(folder) / "data", static, DEMO="1")
        console.start().wait_until_ready().stop()
        took = []
        for _ in range(STARTS):
            console.log.write_text("")
            begun = time.monotonic()
            console.start().wait_until_ready()
            took.append(time.monotonic() - begun)
            console.stop()
        console.kill_all()
    print("  ".join(f"{seconds:.1f} s" for seconds in took))
    claims.at_most("seconds to the first page", min(took), 10.0)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
