"""How rows of the list write what they are told."""

from __future__ import annotations

import pytest

from dashboard.keys.browsing.rows import left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (8.12, "8 s"), (4.99, "4 s"), (18.0, "18 s"), (59.7, "59 s"), (0.0, "0 s"), (0, "0 s"),
        (0.4, "under 1 s"), (60.0, "1 min"), (615.5, "10 min"), (None, "—"),
    ],
)  # fmt: skip
def test_a_column_of_times_has_whole_seconds(seconds: float | None, words: str) -> None:
    assert left(seconds) == words
