"""The commands of the guides about training and data, executed in a folder with sample files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
GUIDES = REPOSITORY / "docs/guides"
EXECUTED = ("train", "data-sets", "your-own-data")

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


def commands(guide: str) -> list[str]:
    """The commands of a guide; installing is left out."""
    text = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    return re.findall(r"^    (sketchseek .+)$", text, re.MULTILINE)


def run(script: str, folder: Path) -> str:
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
    }
    shell = ["bash", "-e", "-c", script]
    done = subprocess.run(shell, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample files, and the sample data set in the layouts of the guide to own data."""
    root = tmp_path_factory.mktemp("guides")
    run("sketchseek demo --sample", root)
    for folder in ("pairs/photo", "pairs/sketch", "categories/photo/cat", "categories/sketch/cat"):
        (root / folder).mkdir(parents=True)
    photo, sketch = root / "photos/cat-face.webp", root / "cat.png"
    shutil.copy(photo, root / "pairs/photo/cat.webp")
    shutil.copy(sketch, root / "pairs/sketch/cat-1.png")
    shutil.copy(photo, root / "categories/photo/cat/1.webp")
    shutil.copy(sketch, root / "categories/sketch/cat/1.png")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("guide", EXECUTED)
def test_the_commands_of_a_guide_run(folder: Path, guide: str) -> None:
    found = commands(guide)
    assert found
    run("\n".join(found), folder)


def test_the_configuration_of_the_guide_is_valid() -> None:
    import yaml

    from sketchseek.training.config import parse_config

    text = (GUIDES / "your-own-data.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    config = parse_config(yaml.safe_load(block))
    assert config.photo.weights == "packaged"


def test_every_guide_is_executed_by_a_test() -> None:
    elsewhere = {"cluster", "search", "serve"}  # tests/cli/test_cluster.py, tests/test_readme.py, tests/server
    assert {path.stem for path in GUIDES.glob("*.md")} == {*EXECUTED, *elsewhere}
