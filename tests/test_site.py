"""The documentation site is built without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from script_modules import load_script

pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")

pytestmark = pytest.mark.slow


def test_the_documentation_site_builds_strictly(tmp_path: Path) -> None:
    repository = Path(__file__).parents[1]
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Library" in (tmp_path / "site/reference/python/index.html").read_text(encoding="utf-8")


def test_a_link_out_of_the_documents_must_exist(caplog: pytest.LogCaptureFixture) -> None:
    hooks = load_script("tools/site_hooks.py", "site_hooks")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="guides/train.md"))
    assert hooks.on_page_markdown("[a](../../README.md) [b](../models.md)", page) == "a (`README.md`) [b](../models.md)"
    assert not caplog.records
    hooks.on_page_markdown("[a](../../none.md)", page)
    assert "guides/train.md links to ../../none.md, which does not exist" in caplog.text
