"""What each action is called: one table from the code that is kept to the words that are shown.

Each app registers its own in ``AppConfig.ready()``. The code stays what is stored, sealed,
exported and searched; an action that nobody registered is shown by its code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Words:
    """The words of one action.

    ``done`` is the sentence once it has happened and may hold ``{target}``; ``aim`` what was
    wanted, for whatever outcome ("add a server"); ``mark`` one short word beside a line in a
    plot. ``is_change`` is False for what changes nothing, such as signing in.
    """

    done: str
    aim: str
    mark: str = ""
    is_change: bool = True


_known: dict[str, Words] = {}
_permissions: dict[str, str] = {}


def register(words: Mapping[str, Words]) -> None:
    """Declare the words of an app's actions by their codes."""
    for action, told in words.items():
        if _known.setdefault(action, told) != told:
            raise ImproperlyConfigured(f'the action "{action}" is registered twice')


def register_permission(permission: str, aim: str) -> None:
    """What somebody wanted who was refused for want of a permission: that is the action then."""
    _permissions[permission] = aim


def is_known(action: str) -> bool:
    return action in _known or action in _permissions


def titles() -> dict[str, str]:
    """Every registered action with its title, by code."""
    return {action: title(action) for action in sorted(_known)}


def title(action: str) -> str:
    """The action as a heading, whatever came of it: "Add a server"."""
    return _begun(_aim(action))


def sentence(action: str, target: str, outcome: str = "") -> str:
    """What happened: "Added Orders", or with an ``outcome`` "Refused: add a server, Orders"."""
    words = _known.get(action)
    if not outcome:
        return words.done.replace("{target}", target) if words else f"{action} {target}".strip()
    return f"{outcome}: {_aim(action)}, {target}" if target else f"{outcome}: {_aim(action)}"


def mark(action: str) -> str:
    """The word beside its line in a plot."""
    words = _known.get(action)
    return words.mark if words and words.mark else action.rpartition(".")[2][:10]


def without_change() -> list[str]:
    """The codes of what changes nothing."""
    return [action for action, words in _known.items() if not words.is_change]


def called(part: str) -> list[str]:
    """The codes whose words hold ``part``."""
    wanted = part.casefold()
    return [
        action
        for action, words in _known.items()
        if wanted in words.aim.casefold() or wanted in words.done.casefold()
    ]


def _aim(action: str) -> str:
    words = _known.get(action)
    return words.aim if words else _permissions.get(action, action)


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]
