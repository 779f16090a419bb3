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
        self.folders: list[Path] = []
        self.fails = fails

    def __call__(self, command: Sequence[str], folder: Path) -> int:
        self.folders.append(folder)
        program, *arguments = command
        if program == "sketchseek":
            self.commands.append(arguments)
            if arguments[0] == "train":
                Path(arguments[arguments.index("--out") + 1]).mkdir(parents=True, exist_ok=True)
        else:
            self.commands.append([program, *arguments])
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


def test_a_stage_may_run_a_module_from_a_folder(pipeline: Path, tmp_path: Path) -> None:
    stage = "{name: heads, module: lab.heads, folder: code, arguments: ['{runs}/a', '{data}', '{bundled}/b', '{here}']}"
    pipeline.write_text(f"stages: [{stage}]\n")
    places = (tmp_path, tmp_path / "runs", tmp_path / "bundled")
    run = Recorder()
    assert build(pipeline, *places, run) == ["heads"]
    expected = ["lab.heads", str(places[1] / "a"), str(tmp_path), str(places[2] / "b"), str(tmp_path)]
    assert run.commands == [expected]
    assert run.folders == [tmp_path / "code"]
    assert build(pipeline, *places, Recorder()) == []
    pipeline.write_text(pipeline.read_text().replace("{runs}/a", "{runs}/c"))
    with pytest.raises(TrainingError, match=r"stage heads: lab\.heads failed with status 3"):
        build(pipeline, *places, Recorder(fails=str(places[1] / "c")))


def test_a_module_runs_in_a_process_that_finds_it(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/writes.py").write_text("import sys; open(sys.argv[1], 'w').write('done')\n")
    file = tmp_path / "models.yaml"
    file.write_text("stages: [{name: w, module: writes, folder: code, arguments: ['{runs}/out.txt']}]\n")
    (tmp_path / "runs").mkdir()
    build(file, tmp_path, tmp_path / "runs", tmp_path / "bundled")
    assert (tmp_path / "runs/out.txt").read_text() == "done"


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
        ("stages: [{module: lab.heads}]", "a name and a module"),
        ("stages: [{name: heads, module: lab.heads, experiment: teacher.yaml}]", "a name and a module"),
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
    exported = [part for stage in stages for part in stage.arguments if part.startswith("{bundled}/")]
    assert exported == ["{bundled}/small", "{bundled}/tiny"]
    lab = SHIPPED.parent / stages[0].folder
    assert all((lab / f"{stage.module.replace('.', '/')}.py").is_file() for stage in stages)
