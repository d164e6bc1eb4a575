"""A browser's name for people, out of what it says about itself."""

from __future__ import annotations

import re

_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chrome", r"(?:Chrome|CriOS|HeadlessChrome)/(\d+)"),
    ("Safari", r"Version/(\d+)[\d.]* (?:Mobile/\S+ )?Safari"),
    ("curl", r"curl/(\d+)"),
)
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("macOS", "Mac OS X"), ("ChromeOS", "CrOS"), ("Linux", "Linux"),
)  # fmt: skip


def words(agent: str) -> str:
    """``Firefox 131 on Linux``; what is not known is left out."""
    browser = next(
        (f"{name} {found[1]}" for name, sign in _BROWSERS if (found := re.search(sign, agent))), ""
    )
    system = next((name for name, sign in _SYSTEMS if sign in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown browser"
