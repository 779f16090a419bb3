"""The benchmark of training runs, and its lines are what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_every_kind_of_step_is_measured() -> None:
    call = [sys.executable, str(REPOSITORY / "benchmarks/training.py"), "--backbone", "test_resnet", "--frozen", "2"]
    call += ["--size", "32", "--steps", "1", "--categories", "2", "--photos", "3", "--json"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, env=env, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["kind"]: row for row in json.loads(done.stdout)}
    assert list(rows) == [
        "random tensors", "bare PyTorch", "pytorch-metric-learning",
        "sketchseek, nothing kept", "sketchseek, augmented", "sketchseek",
    ]  # fmt: skip
    for row in rows.values():
        assert row["seconds_a_step"] > 0
        assert row["pictures_a_second"] == pytest.approx(12 / row["seconds_a_step"])
        assert row["peak_megabytes"] > 100
    parts = {kind: row["parts"] for kind, row in rows.items() if row["parts"]}
    assert list(parts) == ["sketchseek, nothing kept", "sketchseek, augmented", "sketchseek"]
    assert parts["sketchseek, augmented"]["augmentation"] > parts["sketchseek"]["augmentation"]
    assert all(value >= 0 for split in parts.values() for value in split.values())
