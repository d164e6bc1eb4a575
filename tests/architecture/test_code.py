"""What no code of ours does, whoever writes it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, calls, imports, named, nodes, python_files

# Reading any of these runs what the data says.
RUNS_DATA = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
RUNS_TEXT = {"eval", "exec", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
# Only the connection package makes clients: the defaults of redis-py hang and repeat writes.
CLIENTS = ("Redis", "StrictRedis", "RedisCluster", "Sentinel", "from_url", "ConnectionPool")
MAKES_CLIENTS = "redisops/connection/"
# Drawn from constants and from files of a package, never from data.
MARKS_SAFE = {"dashboard/ui/templatetags/ui.py"}
# Each reads the whole of something: right only where its size is ours to bound.
READS_ALL = {"hgetall", "smembers", "hvals", "hkeys", "sort", "flushall", "flushdb", "monitor"}

# 300 lines ask why; this many are two modules.
MODULE = 480


Found = Iterator[tuple[int, str]]


def found_by(rule: Callable[[Path], Found], *folders: str) -> list[str]:
    """Where a rule is broken, as ``file:line: what``: one test for all files, as there are many."""
    return [
        f"{named(path)}:{line}: {what}"
        for path in python_files(*folders)
        for line, what in rule(path)
    ]


def test_no_code_runs_what_data_says():
    def broken(path: Path) -> Found:
        return ((line, name) for name, line in imports(path) if name in RUNS_DATA)

    assert not found_by(broken)


def test_no_code_runs_text():
    def broken(path: Path) -> Found:
        for name, node in calls(path):
            if name in RUNS_TEXT:
                yield node.lineno, name
            for word in node.keywords:
                if word.arg == "shell" and ast.unparse(word.value) != "False":
                    yield node.lineno, "shell"

    assert not found_by(broken)


def test_only_the_connection_package_makes_clients():
    def broken(path: Path) -> Found:
        if named(path).startswith(MAKES_CLIENTS):
            return
        for name, node in calls(path):
            is_redis = name.startswith(("redis.", "aioredis.", "Redis"))
            if is_redis and name.split(".")[-1] in CLIENTS:
                yield node.lineno, f"{name}(...)"

    assert not found_by(broken), "use redisops.connection.connect or Server.client()"


def test_nothing_is_marked_safe_but_constants():
    def broken(path: Path) -> Found:
        if named(path) not in MARKS_SAFE:
            yield from ((line, name) for name, line in imports(path) if name.endswith("mark_safe"))

    assert not found_by(broken, "dashboard")


def test_no_view_is_exempt_from_csrf():
    def broken(path: Path) -> Found:
        return ((line, name) for name, line in imports(path) if name.endswith("csrf_exempt"))

    assert not found_by(broken, "dashboard")


def test_no_code_swallows_every_error():
    """``except: pass`` and ``except Exception: pass``; suppress(Exception) is the same."""
    broad = {"Exception", "BaseException", ""}

    def broken(path: Path) -> Found:
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler):
                kind = getattr(node.type, "id", "" if node.type is None else "-")
                if kind in broad and all(isinstance(line, ast.Pass) for line in node.body):
                    yield node.lineno, "except"
            is_call = isinstance(node, ast.Call)
            if is_call and getattr(node.func, "attr", "") == "suppress":
                yield from (
                    (node.lineno, "suppress")
                    for one in node.args
                    if getattr(one, "id", "-") in broad
                )

    assert not found_by(broken)


def test_no_code_walks_all_keys_or_whole_collections():
    def broken(path: Path) -> Found:
        for name, node in calls(path):
            command = name.rpartition(".")[2]
            is_redis = "redis" in name.casefold() or "pipe" in name.casefold() or "client" in name
            if is_redis and (command in READS_ALL or (command == "keys" and node.args)):
                yield node.lineno, name
            words = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if command == "execute_command" and words[:1] == ["KEYS"]:
                yield node.lineno, "KEYS"

    assert not found_by(broken)


def test_values_of_tests_do_not_change_with_the_clock():
    """The processes of a parallel run must collect the same tests, and gzip writes the second."""

    def broken(path: Path) -> Found:
        for name, node in calls(path):
            if name == "gzip.compress" and all(word.arg != "mtime" for word in node.keywords):
                yield node.lineno, "gzip.compress without mtime"

    assert not found_by(broken, "tests")


def test_no_module_outgrows_a_reader():
    long = {
        named(path): lines
        for path in python_files()
        if (lines := len(path.read_text().splitlines())) > MODULE
    }

    assert not long, "split these"


@pytest.mark.django_db
def test_migrations_are_written_and_reversible():
    from django.core.management import call_command
    from django.db import migrations
    from django.db.migrations.loader import MigrationLoader

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
    for key, migration in MigrationLoader(None).disk_migrations.items():
        for operation in migration.operations:
            if isinstance(operation, migrations.RunPython | migrations.RunSQL):
                assert operation.reversible, f"{key}: {operation}"


def test_the_checkout_is_the_one_that_is_tested():
    import dashboard

    assert dashboard.__file__ is not None and dashboard.__file__.startswith(str(ROOT))
