"""Generated documents are what the code would generate now."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
_SOURCES = {".py", ".js", ".ts", ".css", ".html", ".sh", ".c"}


@pytest.mark.slow
@pytest.mark.skipif(
    not (REPOSITORY / "docs/measured/ablations").is_dir(), reason="source distributions leave out the records of runs"
)
@pytest.mark.skipif(find_spec("torch") is None, reason="settings of experiments need the extra train")
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


@pytest.mark.slow
def test_no_registry_host_is_named() -> None:
    hosts = re.compile(r"registry\.npmjs|pypi\.org|pythonhosted|deb\.debian\.org")
    kinds = {".py", ".md", ".toml", ".json", ".yaml", ".yml", ".js", ".sh", ".html", ""}
    skipped = {".git", ".venv", "node_modules", "runs", *(file.parent.name for file in REPOSITORY.glob("*/pyvenv.cfg"))}
    named = [
        str(path.relative_to(REPOSITORY))
        for path in REPOSITORY.rglob("*")
        if path.suffix in kinds and path.is_file() and not skipped & set(path.parts)
        and path != Path(__file__) and hosts.search(path.read_text(encoding="utf-8", errors="ignore"))
    ]  # fmt: skip
    assert named == []


def test_where_to_change_names_twenty_changes_and_files_that_exist() -> None:
    page = (REPOSITORY / "docs/where-to-change.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| .+ \| `(.+)` \|$", page, re.MULTILINE)
    assert len(named) >= 20
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []


def test_the_architecture_names_every_package_and_module_at_the_top() -> None:
    page = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    tree = page[page.index("```") : page.rindex("```")]
    listed = set(re.findall(r"^  ([a-z_]+/)|([a-z_]+\.py)", tree, re.MULTILINE))
    top = [path for path in (REPOSITORY / "src/sketchseek").iterdir() if path.name != "__pycache__"]
    folders = {(f"{path.name}/", "") for path in top if path.is_dir()}
    modules = {("", path.name) for path in top if path.suffix == ".py" and not path.name.startswith("__")}
    assert folders | modules <= listed
    assert {folder for folder, _ in listed if folder} == {folder for folder, _ in folders}


def test_files_that_documents_name_exist() -> None:
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("experiments/**/*.md")]
    missing = []
    for page in pages:
        if page.name == "CHANGELOG.md":
            continue
        for name in re.findall(r"`([\w-]+(?:/[\w.-]+)*/[\w-]+\.(?:py|js|sh|c))`", page.read_text(encoding="utf-8")):
            places = (REPOSITORY, REPOSITORY / "src/sketchseek", page.parent)
            if not any((place / name).is_file() for place in places):
                missing.append(f"{page.relative_to(REPOSITORY)}: {name}")
    assert missing == []


def test_a_source_file_has_at_most_400_lines() -> None:
    folders = ("src/sketchseek", "tests", "tools", "benchmarks", "docs", "experiments")
    sources = [path for folder in folders for path in (REPOSITORY / folder).rglob("*") if path.suffix in _SOURCES]
    lengths = {
        path.relative_to(REPOSITORY).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources
        if not {"vendor", "node_modules"} & set(path.parts)
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}
