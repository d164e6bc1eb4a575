"""Production settings pass Django's own gate, and refuse to guess."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

PRODUCTION = {
    "REDISOPS_ENV": "production",
    "SECRET_KEY": "sR7dKp2vXq9mWz4tYb6nHc8jLf3gAe5uQi1oVxTyZkBwNrMhJd",
    "REDISOPS_ENCRYPTION_KEYS": "3q2-796tvu_erb7v3q2-796tvu_erb7v3q2-796tvu8=",
    "ALLOWED_HOSTS": "redisops.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://redisops.example.org",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def manage(tmp_path, *arguments, **environment):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    values = {**kept, "REDISOPS_DATA": str(tmp_path), **PRODUCTION, **environment}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True,
        env={name: value for name, value in values.items() if value},
    )  # fmt: skip


def test_production_settings_pass_the_deployment_check(tmp_path):
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("missing", "value"), [("SECRET_KEY", ""), ("ALLOWED_HOSTS", ""), ("ALLOWED_HOSTS", "*")]
)
def test_production_refuses_to_start_without_what_it_cannot_guess(tmp_path, missing, value):
    done = manage(tmp_path, "check", **{missing: value})

    assert done.returncode != 0
    assert missing in done.stderr
