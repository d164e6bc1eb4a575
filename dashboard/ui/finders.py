"""The few files of npm packages that pages load, named one by one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

ROOT = Path(settings.BASE_DIR) / "node_modules"
# Address below static/ -> file below node_modules/. A file not named here is not served.
FILES = {
    "vendor/tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "vendor/uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
    "vendor/uPlot.min.css": "uplot/dist/uPlot.min.css",
    "vendor/idiomorph-ext.min.js": "idiomorph/dist/idiomorph-ext.min.js",
}


class NamedFiles(FileSystemStorage):
    """Reads the named files, whatever they are called below node_modules."""

    def path(self, name: str) -> str:
        return str(ROOT / FILES[name.replace("\\", "/")])


class NodeModulesFinder(BaseFinder):
    """Finds what ``npm ci`` installed; nothing of npm's is copied into the repository."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = NamedFiles(location=str(ROOT))

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002
        file = ROOT / FILES[path] if path in FILES else None
        found = [str(file)] if file is not None and file.exists() else []
        if find_all or kwargs.get("all"):
            return found
        return found[0] if found else []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterable[tuple[str, Any]]:
        for name in FILES:
            yield name, self.storage
