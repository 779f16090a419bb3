"""Training in two CPU processes, started as a user starts them, against the same steps worked out in one."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from shapes_dataset import write_shapes
from sketchseek.errors import ConfigError
from sketchseek.training.config import parse_config
from sketchseek.training.data import load_sources, read_pixels
from sketchseek.training.distributed import ProcessGroup, start_processes
from sketchseek.training.loop import train
from sketchseek.training.objective import Objective
from sketchseek.training.optimizer import create_optimizer, create_schedule
from sketchseek.training.run_folder import build_model

SIDE = {"backbone": "shufflenet_v2_x0_5", "size": 32, "frozen": 3}
SETTINGS = {
    "name": "shapes",
    "sketch": SIDE,
    "photo": SIDE,
    "embedding": 8,
    "sources": [{"kind": "sketchy", "path": "."}],
    "batch": {"categories": 2, "photos": 3, "sketches": 1},
    "validation": 0.25,
    "steps": 2,
    "evaluate_every": 2,
    "warmup": 1,
    "learning_rate": 0.01,
}


@pytest.mark.slow
def test_two_processes_take_steps_along_the_mean_of_their_gradients(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "shapes")
    experiment = tmp_path / "shapes.yaml"
    experiment.write_text(json.dumps(SETTINGS))  # JSON is YAML
    call = [sys.executable, "-m", "sketchseek", "train", str(experiment), "--data", str(root)]
    call += ["--out", str(tmp_path / "run"), "--devices", "2", "--threads", "1", "--json"]
    done = subprocess.run(
        call, capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # one process alone speaks
    assert result["steps"] == 2

    config = parse_config(SETTINGS)
    data = read_pixels(load_sources(config.sources, root, 0.25, 0).training, 32, 32, None)
    model = build_model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = create_optimizer(model, config)
    schedule = create_schedule(optimizer, config)
    model.train()
    losses = []
    for step in range(2):
        replicas = [copy.deepcopy(model) for _ in range(2)]
        for rank, replica in enumerate(replicas):
            loss = Objective(config, replica, data, None, None, lambda *_: None).loss(2 * step + rank)
            loss.backward()
            losses.append(float(loss.detach()))
        for parameter, *copies in zip(*(m.parameters() for m in (model, *replicas)), strict=True):
            if parameter.requires_grad:
                parameter.grad = (copies[0].grad + copies[1].grad) / 2
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_norm)
        optimizer.step()
        schedule.step()
        for buffer, *copies in zip(*(m.buffers() for m in (model, *replicas)), strict=True):
            buffer.copy_((copies[0] + copies[1]) / 2)
    got = load_file(next((tmp_path / "run").glob("checkpoint-*")))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(got[f"model.{name}"], value, rtol=1e-3, atol=1e-5, msg=name)
    assert losses[0] != losses[1]  # each process has batches of its own
    assert result["last"]["loss"] == pytest.approx(sum(losses) / 4, rel=1e-4)


def test_a_process_alone_needs_no_fabric() -> None:
    group = start_processes(1)
    assert (group.rank, group.world_size, group.is_main) == (0, 1, True)
    model = nn.Linear(2, 1)
    loss = model(torch.ones(1, 2)).sum()
    loss.backward()
    assert group.average_gradients(model, loss) == loss
    torch.testing.assert_close(model.weight.grad, torch.ones(1, 2))
    with group.main_process_first():
        pass


def test_a_memory_of_photos_is_refused_with_several_devices(tmp_path: Path) -> None:
    group = ProcessGroup()
    group.world_size = 2
    config = parse_config(SETTINGS | {"cross_batch_memory": 8})
    root = write_shapes(tmp_path / "shapes", photos=3)
    with pytest.raises(ConfigError, match="cross_batch_memory"):
        train(config, load_sources(config.sources, root, 0.0, 0), tmp_path / "run", None, group=group)
