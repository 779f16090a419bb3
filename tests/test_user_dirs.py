from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sketchseek.user_dirs import user_cache_dir, user_data_dir


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no XDG folders")
def test_folders_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert user_data_dir() == tmp_path / "data" / "sketchseek"
    assert user_cache_dir() == tmp_path / "cache" / "sketchseek"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the defaults of Linux")
def test_default_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_data_dir() == tmp_path / ".local" / "share" / "sketchseek"
    assert user_cache_dir() == tmp_path / ".cache" / "sketchseek"
