"""The loggers, with stand-ins for the two packages: nothing is sent."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sketchseek.errors import MissingExtraError
from sketchseek.training.config import TrainConfig, parse_config
from sketchseek.training.loop import Events
from sketchseek.training.run_loggers import LOGGERS, with_loggers

Calls = list[tuple[Any, ...]]


@pytest.fixture
def config() -> TrainConfig:
    side = {"backbone": "shufflenet_v2_x0_5"}
    return parse_config({"name": "run", "sketch": side, "photo": side, "sources": []})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the stand-ins were called with."""
    seen: Calls = []

    class Writer:
        def __init__(self, folder: str) -> None:
            seen.append(("open", folder))

        def add_text(self, name: str, text: str) -> None:
            seen.append(("text", name))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            seen.append(("scalar", name, value, step))

        def close(self) -> None:
            seen.append(("close",))

    class Run:
        def log(self, values: dict[str, float], step: int) -> None:
            seen.append(("log", values, step))

        def finish(self) -> None:
            seen.append(("finish",))

    def init(**settings: Any) -> Run:
        seen.append(("init", settings["name"], settings["config"]["seed"]))
        return Run()

    board, wandb = ModuleType("torch.utils.tensorboard"), ModuleType("wandb")
    board.SummaryWriter = Writer  # type: ignore[attr-defined]
    wandb.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return seen


def _run(events: Events) -> None:
    for number in range(1, 21):
        events.step(number, 1 / number)
    events.evaluated({"step": 20.0, "loss": 0.5, "seconds": 1.0, "recall@1": 0.25})


def test_tensorboard_gets_every_tenth_loss_and_each_evaluation(
    tmp_path: Path, config: TrainConfig, calls: Calls
) -> None:
    shown: list[int] = []
    logger = LOGGERS["tensorboard"](tmp_path, config)
    _run(with_loggers(Events(step=lambda number, loss: shown.append(number)), [logger]))
    logger.close()
    assert shown == list(range(1, 21))
    assert calls == [
        ("open", str(tmp_path / "tensorboard")),
        ("text", "experiment"),
        ("scalar", "train/loss", 0.1, 10),
        ("scalar", "train/loss", 0.05, 20),
        ("scalar", "validation/recall@1", 0.25, 20),
        ("close",),
    ]


def test_weights_and_biases_gets_settings_and_numbers(tmp_path: Path, config: TrainConfig, calls: Calls) -> None:
    logger = LOGGERS["wandb"](tmp_path, config)
    _run(with_loggers(Events(), [logger]))
    logger.close()
    assert calls == [
        ("init", "run", 0),
        ("log", {"train/loss": 0.1}, 10),
        ("log", {"train/loss": 0.05}, 20),
        ("log", {"validation/recall@1": 0.25}, 20),
        ("finish",),
    ]


def test_nothing_is_logged_unasked(calls: Calls) -> None:
    events = Events()
    assert with_loggers(events, []) is events
    assert calls == []


@pytest.mark.parametrize("name", LOGGERS)
def test_a_missing_package_is_named(
    name: str, tmp_path: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=f"{name} is not installed"):
        LOGGERS[name](tmp_path, config)
