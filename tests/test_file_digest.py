from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sketchseek.file_digest import file_digest


@pytest.mark.parametrize("content", [b"", b"abc", b"\n" * 300_000])
def test_the_checksum_is_that_of_the_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert file_digest(tmp_path / "file", "sha512") == hashlib.sha512(content).hexdigest()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "none")
