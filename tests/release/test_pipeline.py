"""The pipeline that builds the bundled models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sketchseek.errors import ConfigError, TrainingError
from sketchseek.release.pipeline import STAMP, build, load_pipeline

SHIPPED = Path(__file__).parents[2] / "experiments" / "pipelines" / "models.yaml"


class Recorder:
    """Stands for the command line: remembers commands, makes the run's folder, and fails where told to."""

    def __init__(self, fails: str = "") -> None:
        self.commands: list[list[str]] = []
        self.fails = fails

    def __call__(self, command: Sequence[str]) -> int:
        self.commands.append(list(command))
        if command[0] == "train":
            Path(command[command.index("--out") + 1]).mkdir(parents=True, exist_ok=True)
        return 3 if self.fails in command else 0


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    for name in ("teacher", "student"):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\n")
    file = tmp_path / "models.yaml"
    file.write_text(
        "license: Ours.\nstages:\n- {experiment: teacher.yaml}\n- {experiment: student.yaml, bundle: true}\n"
    )
    return file


def test_stages_train_and_export_in_order(pipeline: Path, tmp_path: Path) -> None:
    run = Recorder()
    assert build(pipeline, tmp_path / "data", tmp_path / "runs", tmp_path / "bundled", run) == ["teacher", "student"]
    runs = tmp_path / "runs"
    data = ["--data", str(tmp_path / "data"), "--out"]
    terms = ["--license", "Ours."]
    assert run.commands == [
        ["train", str(tmp_path / "teacher.yaml"), *data, str(runs / "teacher")],
        ["export", str(runs / "teacher"), "--out", str(runs / "teacher/package"), *terms],
        ["train", str(tmp_path / "student.yaml"), *data, str(runs / "student")],
        ["export", str(runs / "student"), "--out", str(tmp_path / "bundled/student"), *terms],
    ]
    assert json.loads((runs / "student" / STAMP).read_text())["seconds"] >= 0


def test_a_stage_may_export_nothing(pipeline: Path, tmp_path: Path) -> None:
    pipeline.write_text("stages: [{experiment: teacher.yaml, export: false}]\n")
    run = Recorder()
    build(pipeline, tmp_path, tmp_path / "runs", tmp_path / "bundled", run)
    assert [command[0] for command in run.commands] == ["train"]


def test_finished_stages_are_skipped_until_their_experiment_changes(pipeline: Path, tmp_path: Path) -> None:
    places = (tmp_path, tmp_path / "runs", tmp_path / "bundled")
    build(pipeline, *places, Recorder())
    assert build(pipeline, *places, Recorder()) == []
    (tmp_path / "student.yaml").write_text("name: student\nsteps: 5\n")
    assert build(pipeline, *places, Recorder()) == ["student"]


def test_a_damaged_stamp_runs_the_stage_again(pipeline: Path, tmp_path: Path) -> None:
    places = (tmp_path, tmp_path / "runs", tmp_path / "bundled")
    build(pipeline, *places, Recorder())
    (tmp_path / "runs/teacher" / STAMP).write_text("{")
    assert build(pipeline, *places, Recorder()) == ["teacher"]


def test_a_stage_that_fails_ends_the_build_and_is_run_again(pipeline: Path, tmp_path: Path) -> None:
    places = (tmp_path, tmp_path / "runs", tmp_path / "bundled")
    with pytest.raises(TrainingError, match="stage student: sketchseek train failed with status 3"):
        build(pipeline, *places, Recorder(fails=str(tmp_path / "student.yaml")))
    assert build(pipeline, *places, Recorder()) == ["student"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: []", "stages"),
        ("stages: [{experiment: teacher.yaml, bundled: true}]", "bundled"),
        ("stages: [{experiment: absent.yaml}]", "no experiment absent.yaml"),
        ("stages: [", "cannot be read"),
        ("", "the file"),
    ],
)
def test_errors_name_the_file_and_the_key(pipeline: Path, text: str, message: str) -> None:
    pipeline.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_pipeline(pipeline)
    assert str(pipeline) in str(caught.value)


def test_the_shipped_pipeline_bundles_both_models() -> None:
    stages = load_pipeline(SHIPPED).stages
    assert [stage.experiment for stage in stages if stage.bundle] == ["../small.yaml", "../tiny.yaml"]
