"""The library's documentation runs: each block of Python, on a real server, in its page's order."""

from __future__ import annotations

import ast
import re
import threading
from pathlib import Path

import pytest

from tests.servers import RedisProcess, until

FOLDER = Path(__file__).parents[2] / "docs/redisops"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.stem != "README")
EXAMPLE = "redis://127.0.0.1:6379/0"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^(?P<expression>\S.*?)  # -> (?P<value>.+)$")


def checked(block: str) -> str:
    """The block with each ``expression  # -> value`` line turned into an assertion."""
    lines = []
    for line in block.splitlines():
        if found := SHOWN.match(line):
            ast.literal_eval(found["value"])
            line = f"assert ({found['expression']}) == ({found['value']}), {found['expression']}"
        lines.append(line)
    return "\n".join(lines)


def begun(before: set[threading.Thread]) -> list[str]:
    """The threads since then; one of a process renews all leases, for good."""
    names = [thread.name for thread in set(threading.enumerate()) - before]
    return [name for name in names if not name.startswith(("leases", "ThreadPoolExecutor"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_example_runs_and_shows_what_it_says(
    page: Path, server: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", server.url)
    text, before = page.read_text(), set(threading.enumerate())
    names: dict[str, object] = {"__name__": page.stem}
    blocks = list(BLOCK.finditer(text))
    assert blocks, "a page of the library has examples"

    try:
        for block in blocks:
            line = text[: block.start(1)].count("\n")
            code = checked(block[1]).replace(EXAMPLE, server.url)
            exec(compile("\n" * line + code, str(page), "exec"), names)
    finally:
        # An example that fails half-way has agents and readers at work on the shared server.
        for made in reversed(list(names.values())):
            is_ours = type(made).__module__.startswith("redisops.")
            if is_ours and hasattr(made, "close") and not hasattr(made, "aclose"):
                made.close()
    # What readers copy ends what it began; a thread may take a moment.
    until(lambda: not begun(before), "the examples leave a thread at work")


def test_an_example_that_is_wrong_fails(server: RedisProcess) -> None:
    with pytest.raises(AssertionError):
        exec(checked("1 + 1  # -> 3"))


def test_the_contents_name_every_page() -> None:
    contents = (FOLDER / "README.md").read_text()

    for page in PAGES:
        assert f"({page.name})" in contents


def test_each_module_of_the_ground_floor_has_a_page() -> None:
    stems = {page.stem for page in PAGES}

    assert {"steps", "connection", "resilience", "keys", "keyspace", "values"} <= stems
