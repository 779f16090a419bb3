"""An ablation whose runs are trained by two CPU processes, started as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from shapes_dataset import write_shapes
from sketchseek.ablations.table import read_table

pytestmark = pytest.mark.slow

SIDE = {"backbone": "shufflenet_v2_x0_5", "size": 32, "frozen": 4}
ABLATION: dict[str, Any] = {
    "name": "shapes",
    "title": "Two losses on shapes",
    "base": {
        "sketch": SIDE,
        "photo": SIDE,
        "embedding": 8,
        "sources": [{"kind": "sketchy", "path": "."}],
        "losses": [{"name": "triplet"}],
        "batch": {"categories": 2, "photos": 3, "sketches": 1},
        "all_gather": True,
        "norm": "none",
        "gradient_clip_norm": 1e30,
        "validation": 0.25,
        "steps": 2,
        "evaluate_every": 2,
        "warmup": 1,
    },
    "vary": {"triplet": {}},
    "seeds": [0],
    "tune": {"seed": 5, "grid": {"learning_rate": [1e30, 0.001]}},
    "test": {"protocol": "sketchy", "path": "."},
}


def test_two_processes_train_each_run_and_one_writes(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "shapes")
    (root / "ablation.yaml").write_text(json.dumps(ABLATION))
    call = [sys.executable, "-m", "sketchseek", "compare", str(root / "ablation.yaml"), "--data", str(root)]
    call += ["--out", str(tmp_path / "out"), "--devices", "2", "--threads", "1", "--json"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(call, capture_output=True, text=True, env=env, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # one process alone speaks
    assert (result["runs_done"], result["runs"]) == (3, 3)
    runs = read_table(tmp_path / "out/shapes.jsonl").runs
    assert [(run["purpose"], float(run["choice"]["learning_rate"])) for run in runs] == [
        ("tuning", 1e30), ("tuning", 0.001), ("final", 0.001),
    ]  # fmt: skip
    assert "the loss is" in runs[0]["failed"]  # in both processes
    assert len(runs[2]["test"]["ranks"].split()) == runs[2]["test"]["queries"]
    assert not list((tmp_path / "out/runs").rglob("*.safetensors"))
