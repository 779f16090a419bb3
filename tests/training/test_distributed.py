"""Training in two CPU processes, started as a user starts them, against the same steps worked out in one."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from shapes_dataset import write_shapes
from sketchseek.errors import ConfigError
from sketchseek.training.config import parse_config
from sketchseek.training.cross_batch_memory import CrossBatchMemory
from sketchseek.training.data import load_sources, read_pixels
from sketchseek.training.distributed import ProcessGroup, start_processes, synchronize_batch_norm
from sketchseek.training.loop import train
from sketchseek.training.objective import Objective
from sketchseek.training.optimizer import create_optimizer, create_schedule
from sketchseek.training.run_folder import build_model
from sketchseek.training.sampling import Batch

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


JOINED = SETTINGS | {
    "all_gather": True,
    "cross_batch_memory": 8,
    "losses": [
        {"name": "relative_triplet", "cross_batch_memory": True},
        {"name": "sup_con", "pairs": "category", "weight": 0.5},
    ],
}


def start(root: Path, out: Path, settings: dict[str, Any], *options: str, **env: str) -> subprocess.Popen[str]:
    """Start a training as a user does."""
    experiment = out.parent / "shapes.yaml"
    experiment.write_text(json.dumps(settings))  # JSON is YAML
    call = [sys.executable, "-m", "sketchseek", "train", str(experiment), "--data", str(root), "--out", str(out)]
    call += [*options, "--threads", "1", "--json"]
    env = os.environ | {"OMP_NUM_THREADS": "1"} | env
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


class Reference:
    """The same steps in one process, with a copy of the model for each batch of a step."""

    def __init__(self, settings: dict[str, Any], root: Path) -> None:
        self.config = config = parse_config(settings)
        self.data = read_pixels(load_sources(config.sources, root, 0.25, 0).training, 32, 32, None)
        self.model = build_model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = create_optimizer(self.model, config)
        self.schedule = create_schedule(self.optimizer, config)
        self.memory = CrossBatchMemory(config.cross_batch_memory, self.model.embedding)
        self.losses: list[float] = []
        self.model.train()
        for step in range(config.steps):
            self.step(step)

    def step(self, step: int) -> None:
        """Set the gradient that both processes must have, and take the step."""
        replicas = [copy.deepcopy(self.model) for _ in range(2)]
        memory = self.memory if self.config.cross_batch_memory else None
        objectives = [Objective(self.config, each, self.data, memory, None, lambda *_: None) for each in replicas]
        if self.config.all_gather:
            joined = self.joined(objectives, step)
            loss = torch.zeros(())
            for (term, function), miner in zip(objectives[0]._losses, objectives[0]._miners, strict=True):
                loss = loss + term.weight * objectives[0]._term(term, function, miner, joined)
            loss.backward()
            self.memory.remember(joined.photos, joined.batch.photos)
            self.losses.append(float(loss.detach()))
            share = 1.0  # the gradient of one loss that both batches are in
        else:
            losses = [each.loss(2 * step + rank) for rank, each in enumerate(objectives)]
            for each in losses:
                each.backward()
            self.losses.append(sum(float(each.detach()) for each in losses) / 2)
            share = 0.5
        for parameter, *copies in zip(*(m.parameters() for m in (self.model, *replicas)), strict=True):
            if parameter.requires_grad:
                parameter.grad = (copies[0].grad + copies[1].grad) * share
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip_norm)
        self.optimizer.step()
        self.schedule.step()
        for buffer, *copies in zip(*(m.buffers() for m in (self.model, *replicas)), strict=True):
            buffer.copy_((copies[0] + copies[1]) / 2)

    def joined(self, objectives: list[Objective], step: int) -> Any:
        """Both batches as one."""
        parts = [each._encode(2 * step + rank) for rank, each in enumerate(objectives)]
        batch = Batch(
            np.concatenate([part.batch.photos for part in parts]),
            np.concatenate([part.batch.sketches for part in parts]),
        )
        sketches, photos = (torch.cat([getattr(part, name) for part in parts]) for name in ("sketches", "photos"))
        return dataclasses.replace(parts[0], batch=batch, sketches=sketches, photos=photos)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [SETTINGS, JOINED], ids=["mean of gradients", "all photos of a step"])
def test_two_processes_take_the_steps_of_one(tmp_path: Path, settings: dict[str, Any]) -> None:
    root = write_shapes(tmp_path / "shapes")
    result = json.loads(finish(start(root, tmp_path / "run", settings, "--devices", "2")))  # one process alone speaks
    assert result["steps"] == 2
    expected = Reference(settings, root)
    got = load_file(next((tmp_path / "run").glob("checkpoint-*")))
    for name, value in expected.model.state_dict().items():
        torch.testing.assert_close(got[f"model.{name}"], value, rtol=1e-3, atol=1e-5, msg=name)
    assert result["last"]["loss"] == pytest.approx(sum(expected.losses) / 2, rel=1e-4)
    if expected.config.cross_batch_memory:
        assert torch.equal(got["memory.photos"], expected.memory.photos)


@pytest.mark.slow
def test_two_machines_take_the_same_steps_as_two_devices(tmp_path: Path) -> None:
    root = write_shapes(tmp_path / "shapes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    nodes = [
        start(root, tmp_path / "nodes", JOINED, "--nodes", "2", NODE_RANK=str(rank), **address) for rank in range(2)
    ]
    told = [finish(process) for process in nodes]
    assert json.loads(told[0])["steps"] == 2
    assert told[1] == ""
    finish(start(root, tmp_path / "devices", JOINED, "--devices", "2"))
    ours, theirs = (load_file(next((tmp_path / name).glob("checkpoint-*"))) for name in ("nodes", "devices"))
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-5, atol=1e-6, msg=name)


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


@pytest.mark.parametrize(
    ("settings", "message"), [({"cross_batch_memory": 8}, "cross_batch_memory"), ({"sync_batch_norm": True}, "GPUs")]
)
def test_what_several_processes_cannot_do_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    group = ProcessGroup()
    group.world_size = 2
    group.device = torch.device("cpu")
    config = parse_config(SETTINGS | settings)
    root = write_shapes(tmp_path / "shapes", photos=3)
    with pytest.raises(ConfigError, match=message):
        train(config, load_sources(config.sources, root, 0.0, 0), tmp_path / "run", None, group=group)


def test_synchronized_batch_norm_keeps_parameters_and_frozen_stages() -> None:
    model = build_model(parse_config(SETTINGS | {"norm": "batch"})).eval()
    pixels = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    before, names = model.sketch(pixels), list(model.state_dict())
    parameters = {id(parameter) for parameter in model.parameters()}
    synchronize_batch_norm(model)
    assert torch.equal(model.sketch(pixels), before)
    assert list(model.state_dict()) == names
    assert {id(parameter) for parameter in model.parameters()} == parameters
    changed = [name for name, module in model.named_modules() if isinstance(module, nn.SyncBatchNorm)]
    usual = [name for name, module in model.named_modules() if type(module) is nn.BatchNorm2d]
    assert all(model.get_submodule(name).weight.requires_grad for name in changed)
    assert any("stages.3" in name for name in changed)  # three stages are frozen
    assert usual
    assert not any(model.get_submodule(name).weight.requires_grad for name in usual)
