"""``exclude`` reaches training and leaves what is chosen by alone; ``zero_shot`` leaves nothing unseen in."""

from __future__ import annotations

from pathlib import Path

import pytest

from mini_sets import write_photo, write_sketch, write_sketchy
from sketchseek.errors import ConfigError
from sketchseek.training.config import SourceConfig, parse_config
from sketchseek.training.data import DataSplits, load_sources

SIDE = {"backbone": "shufflenet_v2_x0_5"}


def splits(root: Path, *exclude: str) -> DataSplits:
    return load_sources([SourceConfig("sketchy", "sketchy", exclude=list(exclude))], root, 0.3, 0)


def test_training_lacks_what_a_list_names_and_validation_does_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sketchy(tmp_path / "sketchy", photos=8)
    whole = splits(tmp_path)
    trained, chosen = whole.training.sketches[0], whole.validation.sketches[0]
    names = [sketch.key.removeprefix("0/") for sketch in (trained, chosen)]
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n")
    rest = splits(tmp_path, "list.txt")
    monkeypatch.chdir(tmp_path / "sketchy")
    assert splits(tmp_path, "../list.txt") == rest
    assert rest.validation == whole.validation
    assert rest.training.sketches == whole.training.sketches[1:]
    assert rest.training.photos == whole.training.photos


def test_an_experiment_names_its_lists_and_is_told_apart_by_them() -> None:
    minimal = {"name": "m", "sketch": SIDE, "photo": SIDE, "sources": [{"kind": "sketchy", "path": "s"}]}
    config = parse_config(minimal)
    listed = parse_config(minimal | {"sources": [{"kind": "sketchy", "path": "s", "exclude": ["a.txt"]}]})
    assert listed.sources[0].exclude == ["a.txt"]
    assert listed.fingerprint != config.fingerprint
    said_empty = parse_config(minimal | {"sources": [{"kind": "sketchy", "path": "s", "exclude": []}]})
    assert said_empty.fingerprint == config.fingerprint


def test_unseen_categories_are_neither_trained_nor_chosen_by(tmp_path: Path) -> None:
    for category in ("bat", "zebra", "ant"):
        for i in range(6):
            write_photo(tmp_path / f"photo/{category}/{i}.jpg", f"{category}{i}")
            write_sketch(tmp_path / f"sketch/{category}/{i}.png", f"{category}{i}")
    for zero_shot, categories in (("", {"ant", "bat", "zebra"}), ("sketchy-104-21", {"ant", "zebra"})):
        loaded = load_sources([SourceConfig("categories", ".", zero_shot=zero_shot)], tmp_path, 0.3, 0)
        assert set(loaded.training.categories) == categories
        assert "bat" not in loaded.validation.categories or not zero_shot
    with pytest.raises(ConfigError, match="no such zero-shot split"):
        load_sources([SourceConfig("categories", ".", zero_shot="sketchy")], tmp_path, 0.3, 0)
