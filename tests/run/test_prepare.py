"""Preparing a checkout: what is there is not installed again, what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.run import prepare


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout whose steps are only noted, in ``steps``."""
    for folder in ("static", ".venv", "node_modules", "staticfiles"):
        (tmp_path / folder).mkdir()
    for name in ("requirements.txt", "requirements-dev.txt", "package-lock.json"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(prepare, "ROOT", tmp_path)
    monkeypatch.setattr(prepare, "VENV", tmp_path / ".venv")
    monkeypatch.delenv("STATIC_ROOT", raising=False)
    return tmp_path


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(prepare, "call", lambda command, words, hint, **_: done.append(words))
    return done


def test_packages_are_installed_once(checkout: Path, steps: list[str]) -> None:
    for _ in range(2):
        prepare.python_packages(["requirements.txt"])

    assert len(steps) == 1


def test_a_changed_pin_is_noticed(checkout: Path, steps: list[str]) -> None:
    prepare.python_packages(["requirements.txt", "requirements-dev.txt"])
    (checkout / "requirements.txt").write_text("another pin")

    prepare.python_packages(["requirements.txt", "requirements-dev.txt"])

    assert len(steps) == 2


def test_a_moved_checkout_is_installed_again(
    checkout: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.python_packages(["requirements.txt"])
    moved = checkout.rename(checkout.with_name("moved"))
    monkeypatch.setattr(prepare, "ROOT", moved)
    monkeypatch.setattr(prepare, "VENV", moved / ".venv")

    prepare.python_packages(["requirements.txt"])

    assert len(steps) == 2


def test_static_files_are_built_when_a_source_changed(checkout: Path, steps: list[str]) -> None:
    (checkout / "staticfiles" / "staticfiles.json").touch()
    prepare.static_files()
    prepare.static_files()
    assert len(steps) == 1
    (checkout / "static" / "new.js").touch()

    prepare.static_files()

    assert len(steps) == 2


def test_static_files_that_somebody_removed_are_built_again(
    checkout: Path, steps: list[str]
) -> None:
    prepare.static_files()

    prepare.static_files()

    assert len(steps) == 2


@pytest.mark.parametrize("missing", ["node", "npm"])
def test_a_missing_tool_is_named(
    checkout: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(prepare.shutil, "which", lambda name: None if name == missing else name)

    with pytest.raises(prepare.Refusal, match=f"`{missing}` is not on PATH"):
        prepare.node_packages()

    assert steps == []


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare.sys, "version_info", (3, 10, 4))

    with pytest.raises(prepare.Refusal, match=r"Python 3\.11 or later"):
        prepare.environment()


def test_a_failed_step_shows_its_output_and_says_what_to_do(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(prepare.Refusal, match="try again"):
        prepare.call(["sh", "-c", "echo the reason; exit 1"], "Trying", "Mend it and try again.")

    assert "the reason" in capsys.readouterr().err
