"""Lua sources: one file per script in ``redisops/lua``, opened once per process.

A line ``-- include: other`` stands for the function that ``other.lua`` is made of, so that two
scripts can share it; a script that includes nothing is its file.
"""

from __future__ import annotations

import functools
import re
from importlib import resources

_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
_FUNCTION = re.compile(r"^local function .*?^end$", re.MULTILINE | re.DOTALL)


@functools.cache
def source(name: str) -> str:
    """The text of ``redisops/lua/<name>.lua``; FileNotFoundError when there is none."""
    return _INCLUDE.sub(lambda include: _function(include[1]), _text(name))


def _text(name: str) -> str:
    return (resources.files("redisops") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


def _function(name: str) -> str:
    found = _FUNCTION.search(_text(name))
    if found is None:
        raise ValueError(f"{name}.lua has no function to include")
    return found[0]
