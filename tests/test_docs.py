"""Generated documents are what the code would generate now."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.skipif(
    not (REPOSITORY / "docs/measured/ablations").is_dir(), reason="source distributions leave out the records of runs"
)
def test_generated_documents_are_current() -> None:
    """In a process of its own: click keeps a command's help as the first context that asked for it formats it."""
    environment = {name: value for name, value in os.environ.items() if name != "SKETCHSEEK_LIBRARY"}
    call = [sys.executable, "docs/generate.py", "--check"]
    checked = subprocess.run(call, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"run: make docs\n{checked.stdout}{checked.stderr}"


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    params = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    reasons = (REPOSITORY / "docs/dependencies.md").read_text()
    named = set(re.findall(r"[a-zA-Z0-9_*-]+", reasons))
    missing = [
        name
        for name in (re.split(r"[<>=\[; ]", requirement)[0] for requirement in params)
        if name not in named and not (name.startswith("types-") and "types-*" in named)
    ]
    assert missing == []


def test_shipped_models_fit_into_their_budget() -> None:
    models = REPOSITORY / "src/sketchseek/models"
    assert sum(file.stat().st_size for file in models.rglob("*") if file.is_file()) <= 40_000_000


def test_no_registry_host_is_named() -> None:
    hosts = re.compile(r"registry\.npmjs|pypi\.org|pythonhosted|deb\.debian\.org")
    kinds = {".py", ".md", ".toml", ".json", ".yaml", ".yml", ".js", ".sh", ".html", ""}
    named = [
        str(path.relative_to(REPOSITORY))
        for path in REPOSITORY.rglob("*")
        if path.suffix in kinds and path.is_file() and not {".git", ".venv", "node_modules", "runs"} & set(path.parts)
        and path != Path(__file__) and hosts.search(path.read_text(encoding="utf-8", errors="ignore"))
    ]  # fmt: skip
    assert named == []


def test_where_to_change_names_twenty_changes_and_files_that_exist() -> None:
    page = (REPOSITORY / "docs/where-to-change.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| .+ \| `(.+)` \|$", page, re.MULTILINE)
    assert len(named) >= 20
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
