from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sketchseek.datasets.quickdraw import quickdraw_words
from sketchseek.datasets.records import normalize_word
from sketchseek.training.class_prototypes import CLASSES, TABLE, class_prototypes, classes_of_words


def test_indices_are_classes_and_words_are_normalized() -> None:
    table = classes_of_words()
    for word, indices in table.items():
        assert word == normalize_word(word)
        assert word
        assert list(indices) == sorted(set(indices))
        assert all(0 <= index < CLASSES for index in indices)
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(table) + 1  # no word occurs twice
    assert [line.split(",")[0] for line in lines[1:]] == sorted(table)


def test_some_words_by_hand() -> None:
    table = classes_of_words()
    assert table["ambulance"] == (407,)
    assert table["angel"] == ()
    assert set(range(151, 269)) == set(table["dog"])


def test_a_prototype_is_the_mean_direction_of_its_classes() -> None:
    classifier = torch.randn(CLASSES, 7, generator=torch.Generator().manual_seed(0))
    prototypes, known = class_prototypes(classifier, ["Airplane", "angel", "no such word", "hot-air_balloon"])
    assert known.tolist() == [True, False, False, True]
    want = sum(classifier[index] / classifier[index].norm() for index in (404, 895, 908))
    assert isinstance(want, torch.Tensor)
    torch.testing.assert_close(prototypes[0], want / want.norm())
    assert prototypes[1:3].abs().max() == 0
    torch.testing.assert_close(prototypes.norm(dim=1), torch.tensor([1.0, 0.0, 0.0, 1.0]))


def test_no_words_and_wrong_classifiers() -> None:
    prototypes, known = class_prototypes(torch.ones(CLASSES, 3), [])
    assert prototypes.shape == (0, 3)
    assert known.shape == (0,)
    with pytest.raises(ValueError, match="1000 rows"):
        class_prototypes(torch.ones(10, 3), ["cat"])


@pytest.mark.real_data
def test_every_quickdraw_word_is_in_the_table(real_data: Path) -> None:
    words = set(quickdraw_words(real_data / "quickdraw"))
    assert len(words) == 345
    assert words <= set(classes_of_words())
