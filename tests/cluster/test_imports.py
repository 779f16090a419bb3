"""Nothing of the extra ``cluster`` is imported unless a library in Lance is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sketchseek.models.package import ModelPackage

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
import sketchseek.cli.copy, sketchseek.cli.library, sketchseek.cli.search, sketchseek.server.app
from sketchseek import Library
Library.open(sys.argv[1], sys.argv[2], create=True).close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"lance", "obstore", "pyarrow"}))
print([name for name in sys.modules if name.startswith("sketchseek.cluster")])
"""


def test_a_library_in_a_folder_imports_nothing_of_the_extra(tmp_path: Path, tiny_model: ModelPackage) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "library"), str(tiny_model.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.splitlines() == ["[]", "[]"], done.stderr
