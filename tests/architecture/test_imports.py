"""Imports point down: the contracts of pyproject.toml, run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import ROOT


def test_import_contracts_hold():
    command = Path(sys.executable).parent / "lint-imports"

    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
