"""What can be done with many keys at once: the words of each, and which options it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """One action in a person's words. ``do`` stands in addresses, ``kind`` names the job."""

    do: str
    kind: str
    title: str
    where: str
    would: str
    past: str
    button: str
    verb: str
    icon: str
    is_danger: bool = False
    keeps: bool = False
    commands: int = 1
    """About how many commands each key takes, for the estimate of the time."""
    trips: int = 2
    """About how many round trips a batch takes."""

    def button_for(self, count: int, number: str) -> str:
        """The acting button repeats the count: "Delete 41,207 keys"."""
        return self.button.format(keys=f"{number} key{'' if count == 1 else 's'}")


ACTIONS = {
    action.do: action
    for action in (
        Action(
            "delete", "keys.delete", "Delete keys", "from", "Would delete", "deleted",
            "Delete {keys}", "delete", "trash-2", is_danger=True, keeps=True, commands=7,
        ),
        Action(
            "expire", "keys.expire", "Set expiry", "on", "Would expire", "changed",
            "Set expiry of {keys}", "set the expiry of", "clock", is_danger=True,
        ),
        Action(
            "persist", "keys.persist", "Remove expiry", "on", "Would keep for good", "changed",
            "Remove expiry of {keys}", "remove the expiry of", "infinity",
        ),
        Action(
            "rename", "keys.rename", "Rename prefix", "on", "Would rename", "renamed",
            "Rename {keys}", "rename", "pencil", is_danger=True, commands=2,
        ),
        Action(
            "copy", "keys.copy", "Copy keys", "from", "Would copy", "copied",
            "Copy {keys}", "copy", "copy", commands=3,
        ),
        Action(
            "export", "keys.export", "Export keys", "from", "Would export", "exported",
            "Export {keys}", "export", "download", commands=2,
        ),
    )
}  # fmt: skip
