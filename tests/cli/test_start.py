"""What the commands load: nothing slow before it is needed, and nothing of the training half."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from mini_sets import write_pairs
from sketchseek.cli import _COMMANDS, cli
from sketchseek.models.package import ModelPackage

pytestmark = pytest.mark.slow

TRAINING = ("torch", "torchvision", "timm", "onnx", "onnxscript", "pytorch_metric_learning", "safetensors", "yaml")
SLOW = ("numpy", "PIL", "onnxruntime", "faiss", "fastapi", "uvicorn", "rich", *TRAINING)

_RUN = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))  # importing one of them is an error
from sketchseek.cli import main
del sys.argv[1]
main()
"""


def run(without: tuple[str, ...], *arguments: object, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, ",".join(without), *map(str, arguments)],
        input="[[[0, 9], [0, 9]]]",
        capture_output=True,
        text=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(home), "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("index", "--help"), ("serve", "--help")])
def test_help_loads_nothing_slow(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert run(SLOW, *arguments, home=tmp_path)


def test_the_base_install_does_without_the_training_wing(tmp_path: Path, tiny_model: ModelPackage) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    model, library = ("--model", tiny_model.path), ("--library", tmp_path / "library")
    pairs = write_pairs(tmp_path / "pairs", photos=2, sketches=1)
    commands: list[tuple[object, ...]] = [
        ("index", tmp_path / "red.png", *library, *model),
        ("search", "-", *library, "--json"),
        ("verify", *library),
        ("models", "--json"),
        ("demo", pairs / "photo", "--prepare-only", "--json", *model),
        ("evaluate", "pairs", pairs, "--json", *model),
    ]
    for command in commands:
        assert run(TRAINING, *command, home=tmp_path)


def test_the_root_help_has_sections_and_whole_sentences() -> None:
    text = CliRunner().invoke(cli, ["--help"], terminal_width=100).stdout
    find, models = text.partition("Find photos:")[2].split("Evaluate and train models:")
    assert "  index " in find
    assert "  train " in models
    assert "  train " not in find
    assert "..." not in find + models  # nothing is cut
    for name in _COMMANDS:
        assert f"\n  {name} " in text, name


@pytest.mark.parametrize(
    ("words", "expected"), [("sketchseek se", {"search", "serve"}), ("sketchseek verify --sa", {"--sample"})]
)
def test_shells_complete_commands_and_options(words: str, expected: set[str]) -> None:
    environment = os.environ | {
        "_SKETCHSEEK_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    program = Path(sys.executable).parent / "sketchseek"
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected


def test_the_documented_completion_scripts_are_made() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/search.md").read_text(encoding="utf-8")
    program = Path(sys.executable).parent / "sketchseek"
    for shell in ("bash", "zsh", "fish"):
        assert f"_SKETCHSEEK_COMPLETE={shell}_source sketchseek" in guide
        environment = os.environ | {"_SKETCHSEEK_COMPLETE": f"{shell}_source"}
        done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
        assert "_SKETCHSEEK_COMPLETE" in done.stdout
