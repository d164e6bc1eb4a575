from __future__ import annotations


class AuditUnavailable(Exception):
    """The audit could not be written.

    ``has_happened`` is False before a change (it was not made) and True after one (it was made,
    and only the row of its outcome is missing; its intention is row ``intent``).
    """

    def __init__(self, *, has_happened: bool = False, intent: int | None = None) -> None:
        super().__init__(
            "the change was made, its outcome could not be recorded"
            if has_happened
            else "the change was not made: it could not be recorded"
        )
        self.has_happened = has_happened
        self.intent = intent
