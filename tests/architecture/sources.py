"""The product's own files, as the architecture tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("redisops", "dashboard", "demo")


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    found = [path for folder in folders or PRODUCT for path in (ROOT / folder).rglob("*.py")]
    return tuple(sorted(path for path in found if "migrations" not in path.parts))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of the file's syntax, walked once for all who ask."""
    return tuple(ast.walk(tree(path)))


@cache
def calls(path: Path) -> tuple[tuple[str, ast.Call], ...]:
    """Each call in the file with the dotted name that it is made by, as written."""
    return tuple((dotted(node.func), node) for node in nodes(path) if isinstance(node, ast.Call))


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Each module that the file imports, also inside functions, with the line."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def dotted(node: ast.expr) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "")
    return ".".join(reversed(parts))


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


def named(path: Path) -> str:
    """The file as a person names it: relative to the checkout."""
    return str(path.relative_to(ROOT))
