"""The check of old words finds them, and finds none in the repository."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from script_modules import load_script

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def words() -> ModuleType:
    return load_script("tools/check_words.py", "check_words")


@pytest.mark.slow
def test_the_repository_uses_the_glossary_s_words(words: ModuleType) -> None:
    assert words.check(REPOSITORY) == []


@pytest.mark.parametrize(
    ("inside", "text", "word"),
    [
        ("docs/a.md", "one\nan artefact", "artefact"),
        ("src/sketchseek/a.py", "CATALOGUE = 1", "CATALOGUE"),
        ("tests/test_a.py", "normalised_rows = 1", "normalis"),
        ("src/sketchseek/ablations/a.py", "# each study", "study"),
        ("src/sketchseek/search/a.py", "Wanted(k=1)", "Wanted"),
        ("src/sketchseek/training/a.py", "x = encoder.trunk(pixels)", "trunk"),
        ("src/sketchseek/training/a.py", "traced = []", "traced"),
        ("src/sketchseek/search/a.py", "ids_of(bounds)", "bounds"),
        ("experiments/a.yaml", "steps: 4\nclip: 1.0", "clip:"),
        ("src/sketchseek/server/a.py", "vector: list[float]", "vector"),
        ("src/sketchseek/evaluation/a.py", "# of each drawing", "drawing"),
        ("docs/a.md", "of the validation part", "validation part"),
        ("docs/a.md", "It computes in eight bits.", "eight bits"),
    ],
)
def test_an_old_word_is_found_with_its_line(
    words: ModuleType, tmp_path: Path, inside: str, text: str, word: str
) -> None:
    file = tmp_path / inside
    file.parent.mkdir(parents=True)
    file.write_text(text)
    messages = words.check(tmp_path)
    assert len(messages) == 1
    assert messages[0].startswith(f"{inside}:{len(text.splitlines())}: write ")
    assert repr(word) in messages[0]


def test_ordinary_words_and_skipped_files_are_not_reported(words: ModuleType, tmp_path: Path) -> None:
    for inside, text in {
        "docs/a.md": "A study of variants, the photo you wanted, a catalog, a license.",
        "src/sketchseek/search/a.py": "# the photo that was wanted",
        "src/sketchseek/search/index/a.py": "vectors, as an index engine calls them",
        "src/sketchseek/web/texts.js": "Your drawing stays on this device",
        "docs/measured/a.txt": "normalisation",
        "docs/picture.png": "artefact",
    }.items():
        (tmp_path / inside).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / inside).write_text(text)
    assert words.check(tmp_path) == []
