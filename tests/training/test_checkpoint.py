from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from sketchseek.errors import ConfigError
from sketchseek.training.checkpoint import (
    BEST,
    PROGRESS,
    TrainingState,
    best_weights,
    load_checkpoint,
    read_state,
    save_checkpoint,
)
from sketchseek.training.sealed_tensors import read_tensors, write_tensors


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder after one step."""
    model, optimizer = started()
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    save_checkpoint(
        tmp_path, TrainingState("print", 1, history=[{"step": 1.0, "recall@1": 0.1}]), {"model": model}, optimizer
    )
    write_tensors(tmp_path / BEST, model.state_dict())
    return tmp_path


def started() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def test_a_checkpoint_gives_back_what_was_saved(run: Path) -> None:
    model, optimizer = started()
    progress = load_checkpoint(run, "print", {"model": model}, optimizer)
    assert (progress.step, progress.history) == (1, [{"step": 1.0, "recall@1": 0.1}])
    torch.testing.assert_close(model.state_dict(), best_weights(run), rtol=0, atol=0)
    assert len(optimizer.state_dict()["state"]) == 2


def test_shared_tensors_are_written_under_both_names(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    write_tensors(tmp_path / "t.safetensors", {"a": shared, "b": shared.T})
    torch.testing.assert_close(read_tensors(tmp_path / "t.safetensors"), {"a": shared, "b": shared.T.contiguous()})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.booleans())
def test_any_changed_byte_and_any_cut_is_noticed(run: Path, where: float, flip: int, cut: bool) -> None:
    """Flipped bits used to be exported, and a truncated file to end in a traceback."""
    path = next(run.glob("checkpoint-*"))
    whole = path.read_bytes()
    at = int(where * len(whole))
    damaged = whole[:at] if cut else whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
    try:
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match="damaged"):
            load_checkpoint(run, "print", *_parts())
        (run / BEST).write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"best\.safetensors: damaged"):
            best_weights(run)
    finally:
        path.write_bytes(whole)


def _parts() -> tuple[dict[str, nn.Module], torch.optim.Optimizer]:
    model, optimizer = started()
    return {"model": model}, optimizer


@pytest.mark.parametrize(
    "change", [{"step": 7}, {"checkpoint": "other"}, {"best": 0.9}, {"history": []}, {"sha256": "0"}]
)
def test_changed_progress_is_noticed(run: Path, change: dict[str, Any]) -> None:
    data = json.loads((run / PROGRESS).read_text())
    (run / PROGRESS).write_text(json.dumps(data | change))
    with pytest.raises(ConfigError, match="SHA-256"):
        read_state(run, "print")


def test_a_file_without_a_checksum_is_refused(run: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, run / BEST)
    with pytest.raises(ConfigError, match="no checksum"):
        best_weights(run)


def test_a_missing_checkpoint_is_named(run: Path) -> None:
    next(run.glob("checkpoint-*")).unlink()
    with pytest.raises(ConfigError, match=r"checkpoint-0000001\.safetensors: missing"):
        load_checkpoint(run, "print", *_parts())
