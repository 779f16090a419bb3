"""The README's and the search guide's commands and code, executed as they stand in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sketchseek.samples.files import EXAMPLE

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, with the files that the README tells to write there first."""
    root = tmp_path_factory.mktemp("readme")
    run("sketchseek demo --sample", root)
    return root


def run(script: str, folder: Path) -> str:
    """Run a script the way a shell's user does, with our command on the path and a home of its own."""
    scripts = Path(sys.executable).parent
    env = os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
    }
    for name in ("SKETCHSEEK_LIBRARY", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        env.pop(name, None)
    shell = ["bash", "-m", "-e", "-c", script]
    done = subprocess.run(shell, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_searching_from_the_command_line(tmp_path: Path) -> None:
    assert "demo --sample" in blocks("sh")[0]
    out = run(blocks("sh")[0], tmp_path)  # literally all that a reader does after installing
    found = json.loads(re.search(r"^\[.*?^\]|^\[.*\]$", out, re.MULTILINE | re.DOTALL).group())  # type: ignore[union-attr]
    assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
    assert all(Path(row["path"]).is_file() for row in found)
    assert "cat-face.webp" in [Path(row["path"]).name for row in found[:3]]


def test_the_sample_configuration_is_the_one_shown() -> None:
    guide = (REPOSITORY / "docs/guides/train.md").read_text(encoding="utf-8")
    assert re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL) == [EXAMPLE]


def test_the_search_guide(folder: Path) -> None:
    guide = (REPOSITORY / "docs/guides/search.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (sketchseek .+)$", guide, re.MULTILINE)
    assert len(commands) > 5
    run("\n".join(commands), folder)
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)):
        (folder / f"{number}.py").write_text(code)
        assert len(run(f"python {number}.py", folder).splitlines()) == 5


def test_searching_from_python(folder: Path) -> None:
    (folder / "search.py").write_text(blocks("python")[0])
    run("sketchseek index photos --library photos.library", folder)
    assert len(run("python search.py", folder).splitlines()) == 5


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_searching_over_http(folder: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = blocks("sh")[1].replace("8765", str(port))
    out = run("sketchseek index photos --library photos.library >/dev/null\n" + script, folder)
    assert len(json.loads(next(line for line in out.splitlines() if line.startswith("{")))["results"]) == 3


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: pip install 'sketchseek[train]'")
def test_training_and_evaluating(folder: Path) -> None:
    out = run(blocks("sh")[2], folder)
    assert "recall@1" in out


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^    make (\w+)", README, re.MULTILINE))
    assert {"demo", "test"} == named
    assert named <= targets


def test_every_linked_file_is_there() -> None:
    # Absolute, since package indexes show the README without the repository.
    links = re.findall(r"\]\(([^)#]+)\)", README)
    bases = tuple(
        f"{base}/sketchseek/sketchseek/" for base in ("https://github.com", "https://raw.githubusercontent.com")
    )
    ours = [re.sub(r"^(blob/)?main/", "", link.removeprefix(base)) for base in bases for link in links if base in link]
    assert len(ours) > 15
    assert [link for link in ours if not (REPOSITORY / link).exists()] == []
    assert [link for link in links if "://" not in link] == []


def test_every_block_is_executed() -> None:
    assert len(blocks("sh")) == 3
    assert (len(blocks("python")), blocks("yaml")) == (1, [])
