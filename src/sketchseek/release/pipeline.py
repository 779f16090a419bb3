"""Build the bundled models from a pipeline file: stages that train an experiment and export it, in order.

A stage runs ``sketchseek train`` and ``sketchseek export``, or a Python module of its own, in a process that gives its
memory back before the next stage starts. A finished stage is skipped; an interrupted one continues from its last
checkpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ConfigError, TrainingError

STAMP = "stage.json"
"""In a stage's run folder, written when the stage is finished: its experiment's checksum and the seconds it took."""

Run = Callable[[Sequence[str], Path], int]
"""Runs a Python module with arguments in a folder and returns its exit status."""


class Stage(BaseModel):
    """One stage: an experiment, or a Python module with arguments.

    Attributes:
        experiment: Experiment file, relative to the pipeline file.
        name: Name of a stage that runs a module.
        module: Name of the module, which is found from ``folder``.
        arguments: Its arguments; ``{data}``, ``{runs}``, ``{bundled}`` and ``{here}``, the pipeline file's folder, are
            filled in.
        folder: Folder that the module runs in, relative to the pipeline file.
        hours: How long the stage took on two cores, for people.
        bundle: Whether the export replaces the bundled model of the experiment's name; otherwise it goes to the
            ``package`` folder of the run, where later stages find it.
        export: Whether anything is exported at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: str = ""
    name: str = ""
    module: str = ""
    arguments: list[str] = []
    folder: str = "."
    hours: Annotated[float, Field(ge=0)] = 0.0
    bundle: bool = False
    export: bool = True

    @model_validator(mode="after")
    def _one_kind(self) -> Stage:
        if bool(self.experiment) == bool(self.module) or bool(self.module) != bool(self.name):
            raise ValueError("a stage has either an experiment, or a name and a module")
        return self


class Pipeline(BaseModel):
    """All stages.

    Attributes:
        license: Terms of the weights, for the manifests.
        stages: In the order in which they run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    license: str = ""
    stages: Annotated[list[Stage], Field(min_length=1)]


def load_pipeline(file: Path) -> Pipeline:
    """Read a pipeline file.

    Raises:
        ConfigError: It is missing, not YAML, has a wrong key or value, or names an experiment that is not there.
    """
    try:
        pipeline = Pipeline.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot be read ({error}).", subject=file, remedy="Check the path and the YAML.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(
            f"{key or 'the file'}: {problem['msg']}.", subject=file, remedy="Correct this key."
        ) from error
    for stage in pipeline.stages:
        if stage.experiment and not (file.parent / stage.experiment).is_file():
            raise ConfigError(
                f"there is no experiment {stage.experiment}.", subject=file, remedy="Correct the stage's path."
            )
    return pipeline


def build(file: Path, data: Path, runs: Path, bundled: Path, run: Run | None = None) -> list[str]:
    """Run every stage that is not finished.

    Args:
        file: The pipeline file.
        data: Folder of the data sets, as ``sketchseek train --data`` takes it.
        runs: Folder for the runs, one folder a stage.
        bundled: Folder of the bundled models.
        run: Runs one module; by default in a new process.

    Returns:
        Names of the stages that ran.

    Raises:
        ConfigError: From ``load_pipeline``.
        TrainingError: A command failed; build again to continue from its last checkpoint.
    """
    pipeline = load_pipeline(file)
    ran = []
    for stage in pipeline.stages:
        name = stage.name or Path(stage.experiment).stem
        text = _described(stage, file)
        if _finished(runs / name, text):
            continue
        started = time.monotonic()
        folder = Path()
        if stage.module:
            places = {"data": data, "runs": runs, "bundled": bundled, "here": file.parent}
            filled = {key: str(place.absolute()) for key, place in places.items()}
            commands = [[stage.module, *(argument.format(**filled) for argument in stage.arguments)]]
            folder = file.parent / stage.folder
        else:
            commands = _train_and_export(stage, name, file, data, runs, bundled, pipeline.license)
        for command in commands:
            program = stage.module or f"sketchseek {command[0]}"
            if status := (run or _run)(command if stage.module else ["sketchseek", *command], folder):
                raise TrainingError(
                    f"stage {name}: {program} failed with status {status}.",
                    remedy="Read its message above, then build again: finished stages are skipped.",
                )
        (runs / name).mkdir(parents=True, exist_ok=True)
        seconds = round(time.monotonic() - started, 1)
        atomic_write(runs / name / STAMP, json.dumps({"experiment": text, "seconds": seconds}, indent=1) + "\n")
        ran.append(name)
    return ran


def _train_and_export(
    stage: Stage, name: str, file: Path, data: Path, runs: Path, bundled: Path, terms: str
) -> list[list[str]]:
    commands = [["train", str(file.parent / stage.experiment), "--data", str(data), "--out", str(runs / name)]]
    if stage.export:
        out = bundled / name if stage.bundle else runs / name / "package"
        commands.append(["export", str(runs / name), "--out", str(out), "--license", terms])
    return commands


def _described(stage: Stage, file: Path) -> str:
    """What a finished stage was made from."""
    if stage.experiment:
        return (file.parent / stage.experiment).read_text(encoding="utf-8")
    return json.dumps([stage.module, *stage.arguments])


def _finished(folder: Path, experiment: str) -> bool:
    """Whether a stage's stamp says that it finished with this very experiment."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stamp, dict) and stamp.get("experiment") == experiment


def _run(arguments: Sequence[str], folder: Path) -> int:
    path = os.pathsep.join(filter(None, [str(folder.absolute()), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run([sys.executable, "-m", *arguments], check=False, env=environment).returncode
