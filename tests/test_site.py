"""The documentation site is built without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")


def test_the_documentation_site_builds_strictly(tmp_path: Path) -> None:
    repository = Path(__file__).parents[1]
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Library" in (tmp_path / "site/reference/python/index.html").read_text(encoding="utf-8")
