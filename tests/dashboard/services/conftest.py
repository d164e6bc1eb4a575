"""What tests of services share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.home import networks
from dashboard.services.checks import targets
from dashboard.services.checks.targets import Own


@pytest.fixture
def loopback(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loopback may be checked, and nothing there is the console's own."""
    settings.CHECK_NETWORKS = networks(["127.0.0.0/8"])
    monkeypatch.setattr(targets, "_own", Own)
    targets.look(again=True)
    yield
    monkeypatch.undo()
    targets._known = targets._Known()
