"""What the audit calls an action, for people who do not know its code."""

import ast
from pathlib import Path

import pytest

from dashboard.audit import actions, record
from dashboard.audit.forms import FilterForm
from dashboard.audit.models import Entry
from dashboard.audit.visible_servers import changes_for

DASHBOARD = Path(actions.__file__).parents[1]


def written() -> set[str]:
    """Every action that is spelled out in a call of ``record`` or ``recording``."""
    found = set()
    for path in DASHBOARD.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
                "record",
                "recording",
            ):
                given = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "action")]
                found |= {
                    part.value
                    for one in given
                    for part in ast.walk(one)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                }
    # What begins or ends with the dot is a part of a spelling that is put together.
    return {action for action in found if "." in action and action == action.strip(".")}


def test_every_action_that_is_recorded_has_words():
    assert "servers.create" in written()
    assert sorted(action for action in written() if not actions.is_known(action)) == []
    assert all(actions.is_known(f"{area}.publish") for area in ("limits", "caching"))


@pytest.mark.django_db
def test_an_entry_is_a_sentence_whatever_came_of_it():
    done = record("ann", "servers.create", server="orders", target="Orders")
    refused = record("ann", "servers.delete", target="/servers/orders/delete/", result="refused")
    unheard = record("ann", "someday.else", target="that")

    assert done.sentence == "Added the server Orders"
    assert refused.sentence == "Refused: remove a server"
    assert unheard.sentence == "someday.else that"


@pytest.mark.django_db
def test_changes_leave_out_what_changes_nothing(owner):
    record("ann", "accounts.sign_in", target="ann")
    kept = record("ann", "servers.update", server="orders", target="Orders")

    assert list(changes_for(owner)) == [kept]


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["Add a server", "added the", "servers.cr"])
def test_an_action_is_found_by_its_words_and_by_its_code(part):
    wanted = record("ann", "servers.create", target="Orders")
    record("ann", "accounts.sign_in", target="ann")
    form = FilterForm({"action": part})

    assert form.is_valid()
    assert list(form.narrow(Entry.objects.all())) == [wanted]
