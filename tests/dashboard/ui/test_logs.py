"""Log lines: one JSON object each, with the request's number, without anybody's data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

LINES = """
import logging, structlog
with structlog.contextvars.bound_contextvars(request_id="abc"):
    structlog.get_logger("test.structured").warning("servers.gone", server="shop", key=b"\\xff\\n")
    logging.getLogger("test.plain").warning("plain %s\\nwith a second line", "words")
"""
FAILURE = """
import logging, structlog
def work():
    password = "hunter" + str(2)
    return 1 / 0
try:
    work()
except ZeroDivisionError:
    logging.getLogger("test.plain").exception("failed")
    structlog.get_logger("test.structured").exception("failed")
"""
REQUEST = """
from django.test import Client
headers = {"Accept": "application/json"}
Client().post("/no/such/page/?match=hunter2", {"value": "hunter2"}, headers=headers)
"""


def logged(program: str, style: str = "json") -> str:
    """What a process of the console writes to its log while it runs ``program``."""
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{program}"],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "LOG_FORMAT": style, "DJANGO_SETTINGS_MODULE": "dashboard.settings"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def test_each_line_is_json_with_the_number_of_its_request():
    structured, plain = map(json.loads, logged(LINES).splitlines())

    assert (structured["event"], structured["server"]) == ("servers.gone", "shop")
    assert plain["event"] == "plain words\nwith a second line"
    assert structured["request_id"] == plain["request_id"] == "abc"
    assert structured["timestamp"].endswith("Z")


def test_a_traceback_is_one_line_without_local_variables():
    lines = logged(FAILURE).splitlines()

    assert len(lines) == 2
    for line in lines:
        assert "ZeroDivisionError" in json.loads(line)["exception"]
        assert "hunter2" not in line


def test_readable_lines_have_no_local_variables_either():
    text = logged(FAILURE, "console")

    assert "ZeroDivisionError" in text
    assert "hunter2" not in text


def test_a_request_that_fails_is_logged_with_its_number_and_without_what_it_carried():
    text = logged(REQUEST)

    lines = [json.loads(line) for line in text.splitlines()]
    assert lines and lines[0]["request_id"]
    assert {line["request_id"] for line in lines} == {lines[0]["request_id"]}
    assert "hunter2" not in text
