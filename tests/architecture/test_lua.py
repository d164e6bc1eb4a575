"""Each Lua file tells the truth in its header, and both servers accept it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

import redisops
from redisops import scripts

FILES = sorted((Path(redisops.__file__).parent / "lua").glob("*.lua"))
MOST_LINES = 65
# Commands that walk the keyspace or whole collections of unknown size, or that wait.
FORBIDDEN = {"KEYS", "SCAN", "RANDOMKEY", "FLUSHALL", "FLUSHDB", "SORT"}

each_script = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def header(path: Path) -> str:
    """The comment that the file begins with."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--"))
    return "\n".join(lines)


def body(path: Path) -> str:
    """The code, without comments."""
    return re.sub(r"--[^\n]*", "", path.read_text())


def declared(text: str, name: str) -> tuple[set[int], int | None]:
    """The numbers that a header gives of KEYS or ARGV, and the first of an open end (``4+``)."""
    numbers, rest = set(), None
    for first, last, more in re.findall(rf"\b{name}\[(\d+)(?:\.\.(\d+))?(\+)?\]", text):
        numbers.update(range(int(first), int(last or first) + 1))
        if more:
            rest = int(first)
    return numbers, rest


def used(code: str, name: str) -> tuple[set[int], bool]:
    """The numbers that the code uses of KEYS or ARGV, and whether it also uses others."""
    numbers = {int(n) for n in re.findall(rf"\b{name}\[(\d+)\]", code)}
    others = re.search(rf"\b{name}\b(?!\[\d+\])", code)
    return numbers, others is not None


@each_script
def test_the_header_says_what_the_script_does_and_returns(path: Path) -> None:
    text = header(path)

    assert len(text.strip().split("\n")[0]) > 20, "the first line says what it does"
    assert re.search(r"^ Returns  ?\S", text, re.MULTILINE), "a line says what it returns"


@each_script
@pytest.mark.parametrize("name", ["KEYS", "ARGV"])
def test_the_header_names_what_the_body_uses(path: Path, name: str) -> None:
    numbers, rest = declared(header(path), name)
    in_code, others = used(body(path), name)

    assert numbers == set(range(1, len(numbers) + 1)), "numbered from 1 without gaps"
    assert others == (rest is not None), "an open end is declared as [n+]"
    if rest is None:
        assert in_code == numbers
    else:
        assert in_code <= numbers


@each_script
def test_the_header_gives_each_key_and_argument_a_meaning(path: Path) -> None:
    for line in header(path).splitlines():
        for argument in re.finditer(r"\b(?:KEYS|ARGV)\[\d+(?:\.\.\d+)?\+?\]", line):
            told = line[argument.end() :].strip()
            if line.strip().startswith(argument[0]) or line[: argument.start()].endswith("  "):
                assert re.match(r"[\w\"'(]", told), f"{path.name}: {argument[0]} has no meaning"


@each_script
def test_keys_come_only_through_keys(path: Path) -> None:
    """A key that is a literal or is put together would break a cluster."""
    for call in re.finditer(r"redis\.p?call\(\s*'([A-Z.]+)'\s*,\s*(['\"])", body(path)):
        assert call[1] in ("XINFO", "XGROUP", "MEMORY", "OBJECT", "FUNCTION", "TIME", "PUBLISH"), (
            call[0]
        )


@each_script
def test_no_script_walks_the_keyspace(path: Path) -> None:
    called = set(re.findall(r"'([A-Z]+)'", body(path)))

    assert not called & FORBIDDEN


@each_script
def test_a_script_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


@each_script
def test_a_script_declares_its_variables_local(path: Path) -> None:
    code = body(path)
    names = set(re.findall(r"^\s*(\w+)\s*=[^=]", code, re.MULTILINE))
    local = set()
    for names_of_one in re.findall(r"\blocal\s+(?!function\b)([\w\s,]+)", code):
        local |= {name.strip().split()[0] for name in names_of_one.split(",") if name.strip()}
    local |= set(re.findall(r"\bfor\s+(\w+)", code))
    in_tables = set(re.findall(r"(\w+)\s*=\s*'", code))

    assert names <= local | in_tables


@each_script
def test_a_server_accepts_it(path: Path, client: redis.Redis) -> None:
    assert client.script_load(scripts.source(path.stem))


def test_every_script_is_shipped_with_the_library() -> None:
    assert FILES
    for path in FILES:
        text = path.read_text()
        included = re.findall(r"^-- include: (\w+)$", text, re.MULTILINE)
        assert not re.search("-- include:", scripts.source(path.stem))
        assert included or scripts.source(path.stem) == text


def test_every_script_is_used() -> None:
    code = "\n".join(p.read_text() for p in Path(redisops.__file__).parent.rglob("*.py"))

    included = set(re.findall(r"-- include: (\w+)", "\n".join(path.read_text() for path in FILES)))
    for path in FILES:
        assert f'"{path.stem}"' in code or path.stem in included, path.name
