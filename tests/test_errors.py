from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sketchseek.errors import ImageError, InputError, SketchseekError
from sketchseek.images import open_image


def test_the_message_is_derived_from_subject_and_reason() -> None:
    error = SketchseekError("the file is truncated.", subject=Path("a.jpg"), remedy="Restore it.")
    assert (error.subject, error.reason, error.remedy) == ("a.jpg", "the file is truncated.", "Restore it.")
    assert error.message == "a.jpg: the file is truncated."
    assert str(error) == "a.jpg: the file is truncated.\nRestore it."


def test_subject_and_remedy_are_optional() -> None:
    error = InputError("k is 0; it must be at least 1.")
    assert (error.subject, error.remedy) == ("", "")
    assert str(error) == error.message == error.reason


def test_fields_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ImageError("empty.", subject="a.jpg", remedy="Restore it.")))  # noqa: S301
    assert (type(error), error.subject, error.reason, error.remedy) == (ImageError, "a.jpg", "empty.", "Restore it.")


def test_an_image_error_says_its_file_and_reason_apart(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ImageError) as caught:
        open_image(tmp_path / "text.png")
    assert caught.value.subject == str(tmp_path / "text.png")
    assert caught.value.reason == "not a picture in a supported format."
