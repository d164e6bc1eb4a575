"""Outline icons, read from the ``lucide-static`` package and put into the page itself."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "node_modules" / "lucide-static" / "icons"
BODY = re.compile(r"<svg[^>]*>(?P<shapes>.*?)</svg>", re.DOTALL)
NAME = re.compile(r"[a-z0-9-]+")


@cache
def shapes(name: str) -> str:
    """The inside of one icon's SVG. Each file is read once in a process."""
    if not NAME.fullmatch(name):
        raise ValueError(f'"{name}" is not the name of an icon: small letters, digits, hyphens')
    try:
        text = (FOLDER / f"{name}.svg").read_text()
    except FileNotFoundError:
        raise ValueError(
            f'lucide-static has no icon "{name}" in {FOLDER} (is it installed? npm ci)'
        ) from None
    found = BODY.search(text)
    assert found is not None, f"{name}.svg is not one SVG"
    return " ".join(found["shapes"].split())
