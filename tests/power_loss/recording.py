"""Recording a scenario: a child process works on files while ``recorder.c`` writes down what it does to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("recorder.c")
SCENARIOS = Path(__file__).with_name("scenarios.py")


def build_recorder(folder: Path, source: Path = SOURCE) -> Path:
    """Compile the recorder, or another library for LD_PRELOAD; skip where there is no compiler or no LD_PRELOAD."""
    if not sys.platform.startswith("linux"):
        pytest.skip("LD_PRELOAD needs Linux")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        if os.environ.get("SKETCHSEEK_REQUIRE_BROWSER"):  # CI installs what tests need
            pytest.fail("there is no C compiler")
        pytest.skip("LD_PRELOAD needs a C compiler")
    library = folder / f"{source.stem}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", "-o", library, source, "-ldl"], check=True)
    return library


def record(recorder: Path, scenario: str, root: Path, log: Path, *arguments: object) -> None:
    """Run a scenario of ``scenarios.py`` below a folder, and record it."""
    environment = os.environ | {
        "LD_PRELOAD": str(recorder),
        "POWER_LOSS_ROOT": str(root),
        "POWER_LOSS_LOG": str(log),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, str(SCENARIOS), scenario, str(root), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
