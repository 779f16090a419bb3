"""The README's commands and code, executed as they stand, in a folder that has what they speak of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from shapes_dataset import write_shapes

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, sketches and a data set by the names that the README uses."""
    root = tmp_path_factory.mktemp("readme")
    (root / "photos").mkdir()
    for i, name in enumerate(["cat-face", "house", "ball", "sun", "tree", "fish"]):
        photo = Image.new("RGB", (120, 90), "white")
        draw = ImageDraw.Draw(photo)
        draw.ellipse((10 + 8 * i, 10, 60 + 8 * i, 60), fill=(40 * i, 90, 200 - 30 * i))
        draw.polygon([(60, 80), (100, 20), (115, 80 - 8 * i)], fill=(200, 40 * i, 60))
        photo.save(root / "photos" / f"{name}.webp", lossless=True)
    sketch = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(sketch).ellipse((40, 60, 160, 170), outline=0, width=5)
    sketch.save(root / "cat.png")
    (root / "cat.json").write_text(json.dumps([[[10, 100, 190, 10], [150, 20, 150, 150]]]))
    write_shapes(root / "data/sketchy")
    (root / "example.yaml").write_text(blocks("yaml")[0])
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


def test_searching_from_the_command_line(folder: Path) -> None:
    out = run(blocks("sh")[0], folder)
    found = json.loads(re.search(r"^\[.*?^\]|^\[.*\]$", out, re.MULTILINE | re.DOTALL).group())  # type: ignore[union-attr]
    assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
    assert all(Path(row["path"]).is_file() for row in found)


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


def test_training_and_evaluating(folder: Path) -> None:
    out = run(blocks("sh")[2], folder)
    assert "recall@1" in out


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^    make (\w+)", README, re.MULTILINE))
    assert {"demo", "test"} == named
    assert named <= targets


def test_every_linked_file_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []


def test_every_block_is_executed() -> None:
    assert len(blocks("sh")) == 3
    assert len(blocks("python")) == len(blocks("yaml")) == 1
