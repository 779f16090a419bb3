"""An ablation over shapes, run in pieces, as a user does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shapes_dataset import write_shapes
from sketchseek.ablations.config import Ablation, load_ablation
from sketchseek.ablations.results import load_results, markdown
from sketchseek.ablations.run import (
    Folders,
    Job,
    RunCallbacks,
    count_jobs,
    find_run,
    next_job,
    open_table,
    run_ablation,
)
from sketchseek.ablations.table import AblationTable, Run, read_table
from sketchseek.cli import cli
from sketchseek.errors import DatasetError
from sketchseek.training.loop import Events

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
        "validation": 0.25,
        "steps": 2,
        "evaluate_every": 1,
        "warmup": 1,
    },
    "vary": {"triplet": {}, "quadruplet": {"losses": [{"name": "quadruplet"}]}},
    "seeds": [0, 1],
    "tune": {"seed": 5, "grid": {"learning_rate": [0.001, 0.01]}},
    "test": {"protocol": "sketchy", "path": ".", "mirrored": True},
    "hypotheses": [{"hypothesis": "two margins are better", "better": ["quadruplet"], "than": ["triplet"]}],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shapes(tmp_path_factory.mktemp("shapes"))
    (folder / "ablation.yaml").write_text(json.dumps(ABLATION))  # JSON is YAML
    return folder


@pytest.fixture(scope="module")
def ablation(root: Path) -> Ablation:
    return load_ablation(root / "ablation.yaml")


@pytest.fixture(scope="module")
def done(root: Path, ablation: Ablation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Folders, list[Job]]:
    """The ablation, run in three calls, and its runs in the order in which they were done."""
    out = tmp_path_factory.mktemp("out")
    folders = Folders(root, out / "runs", out / "results", out / "cache")
    jobs: list[Job] = []
    for max_runs in (3, 1, None):
        run_ablation(
            ablation, folders, max_runs=max_runs, callbacks=RunCallbacks(finished=lambda job, result: jobs.append(job))
        )
    return folders, jobs


def test_every_run_is_done_once_and_tuning_comes_first(done: tuple[Folders, list[Job]], ablation: Ablation) -> None:
    folders, jobs = done
    one = ["tuning", "tuning", "final", "final"]
    assert [(job.configuration, job.purpose) for job in jobs] == [
        (v, p) for v in ("triplet", "quadruplet") for p in one
    ]
    assert [job.config.seed for job in jobs[:4]] == [5, 5, 0, 1]
    table = open_table(ablation, folders.store)
    assert count_jobs(ablation, table) == (8, 8)
    assert next_job(ablation, table) is None
    assert not any(folders.runs.rglob("*.safetensors"))  # weights go when a run is done


def test_the_validation_part_chooses_and_tuning_never_sees_the_test(done: tuple[Folders, list[Job]]) -> None:
    folders, jobs = done
    table = read_table(folders.store / "shapes.jsonl")
    results = [_stored(table, job) for job in jobs]
    for configuration in ("triplet", "quadruplet"):
        of_one = [run for run in results if run["configuration"] == configuration]
        tuning = [run for run in of_one if run["purpose"] == "tuning"]
        best = max(tuning, key=lambda result: result["score"])
        finals = [run for run in of_one if run["purpose"] == "final"]
        assert all("test" not in result for result in tuning)
        assert all(result["choice"] == best["choice"] for result in finals)
        for result in finals:
            assert (result["test"]["queries"], result["test"]["gallery"]) == (16, 8)
            ranks = [int(rank) for rank in result["test"]["ranks"].split()]
            assert result["test"]["metrics"]["recall@1"] == pytest.approx(sum(r == 1 for r in ranks) / 16)
            assert len(result["history"]) == 2
            assert 0 <= result["test"]["metrics"]["own_over_mirror"] <= 1


def test_a_run_again_gives_the_same_result(
    done: tuple[Folders, list[Job]], ablation: Ablation, root: Path, tmp_path: Path
) -> None:
    """Also where it was interrupted, and continued from its checkpoint."""
    folders, jobs = done

    def interrupt(number: int, loss: float) -> None:
        if number == 2:
            raise KeyboardInterrupt

    again = Folders(root, tmp_path / "runs", tmp_path / "results", folders.cache)
    with pytest.raises(KeyboardInterrupt):
        run_ablation(ablation, again, callbacks=RunCallbacks(events=lambda job: Events(step=interrupt)))
    seen: list[int] = []
    run_ablation(
        ablation,
        again,
        max_runs=1,
        callbacks=RunCallbacks(events=lambda job: Events(step=lambda n, loss: seen.append(n))),
    )
    assert seen == [2]
    first, second = (_stored(read_table(f.store / "shapes.jsonl"), jobs[0]) for f in (folders, again))
    assert first["score"] == second["score"]
    assert [row["loss"] for row in first["history"]] == [row["loss"] for row in second["history"]]


def test_changed_settings_are_run_anew_and_prune_deletes_old_results(
    done: tuple[Folders, list[Job]], ablation: Ablation, root: Path, tmp_path: Path
) -> None:
    folders, _ = done
    store = tmp_path / "results"
    store.mkdir()
    (store / "shapes.jsonl").write_text((folders.store / "shapes.jsonl").read_text())
    (store / "package.json").write_text('{"name": "not ours"}')
    (store / "other.jsonl").write_text("{}")
    other = tmp_path / "ablation.yaml"
    other.write_text(
        json.dumps(ABLATION | {"tune": None, "seeds": [1, 0], "vary": {"triplet": {"steps": 1}}, "hypotheses": []})
    )
    changed = load_ablation(other)
    again = Folders(root, tmp_path / "runs", store, folders.cache)

    run_ablation(changed, again, max_runs=0)
    table = read_table(store / "shapes.jsonl")
    assert [run.get("superseded") for run in table.runs] == [True] * 8
    assert load_results(table.path).final == {}
    job = next_job(changed, table)
    assert job is not None
    assert (job.purpose, job.config.seed, job.config.steps) == ("final", 1, 1)

    run_ablation(ablation, again, max_runs=0)
    assert (store / "shapes.jsonl").read_bytes() == (folders.store / "shapes.jsonl").read_bytes()

    run_ablation(changed, again, max_runs=0, prune=True)
    assert read_table(store / "shapes.jsonl").runs == []
    assert sorted(file.name for file in store.iterdir()) == ["other.jsonl", "package.json", "shapes.jsonl"]
    assert (store / "package.json").read_text() == '{"name": "not ours"}'


def test_a_file_that_is_not_ours_is_never_written(ablation: Ablation, root: Path, tmp_path: Path) -> None:
    (tmp_path / "shapes.jsonl").write_text('{"somebody": "else"}\n')
    folders = Folders(root, tmp_path / "runs", tmp_path, tmp_path / "cache")
    with pytest.raises(DatasetError, match=r"shapes\.jsonl: this is not the table of an ablation"):
        run_ablation(ablation, folders, max_runs=0, prune=True)
    assert (tmp_path / "shapes.jsonl").read_text() == '{"somebody": "else"}\n'


def test_a_damaged_result_is_named(done: tuple[Folders, list[Job]], ablation: Ablation, tmp_path: Path) -> None:
    folders, _ = done
    lines = (folders.store / "shapes.jsonl").read_text().splitlines()
    lines[2] = "{"
    (tmp_path / "shapes.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match="line 3: damaged"):
        open_table(ablation, tmp_path)


def test_a_run_whose_line_was_cut_short_is_repeated(
    done: tuple[Folders, list[Job]], ablation: Ablation, root: Path, tmp_path: Path
) -> None:
    folders, jobs = done
    whole = (folders.store / "shapes.jsonl").read_bytes()
    (tmp_path / "shapes.jsonl").write_bytes(whole[:-100])
    table = open_table(ablation, tmp_path)
    assert count_jobs(ablation, table) == (7, 8)
    assert next_job(ablation, table) == jobs[-1]
    run_ablation(ablation, Folders(root, tmp_path / "runs", tmp_path, folders.cache))
    assert count_jobs(ablation, read_table(tmp_path / "shapes.jsonl")) == (8, 8)


def test_tables_of_other_versions_are_refused(ablation: Ablation, tmp_path: Path) -> None:
    (tmp_path / "shapes.jsonl").write_text('{"schema": "sketchseek.ablation", "version": 2, "settings": {}}\n')
    with pytest.raises(DatasetError, match="version 2"):
        open_table(ablation, tmp_path)


def test_a_stored_run_is_recognized_by_its_settings_when_fingerprints_change(
    done: tuple[Folders, list[Job]], ablation: Ablation
) -> None:
    folders, jobs = done
    table = read_table(folders.store / "shapes.jsonl")
    for run in table.runs:
        run["fingerprint"] = "of an older release"
    assert count_jobs(ablation, table) == (8, 8)
    table.runs[0]["settings"]["steps"] = 3
    assert next_job(ablation, table) == jobs[0]


def test_settings_that_fail_lose_the_tuning(root: Path, tmp_path: Path) -> None:
    settings = ABLATION | {
        "base": ABLATION["base"] | {"norm": "none", "gradient_clip_norm": 1e30, "evaluate_every": 2},
        "tune": {"grid": {"learning_rate": [1e30, 0.001]}},
        "vary": {"triplet": {}},
        "hypotheses": [],
    }
    file = tmp_path / "ablation.yaml"
    file.write_text(json.dumps(settings))
    folders = Folders(root, tmp_path / "runs", tmp_path / "results", tmp_path / "cache")
    results: list[dict[str, Any]] = []
    run_ablation(
        load_ablation(file),
        folders,
        max_runs=3,
        callbacks=RunCallbacks(finished=lambda job, result: results.append(result)),
    )
    assert "the loss is" in results[0]["failed"]
    assert results[2]["choice"] == {"learning_rate": 0.001}


def test_the_command_writes_one_report(done: tuple[Folders, list[Job]], root: Path, tmp_path: Path) -> None:
    folders, _ = done
    call = [
        "compare",
        str(root / "ablation.yaml"),
        "--data",
        str(root),
        "--out",
        str(tmp_path),
        "--max-runs",
        "0",
        "--json",
    ]
    found = CliRunner().invoke(cli, [*call, "--store", str(folders.store)], catch_exceptions=False)
    result = json.loads(found.stdout)
    assert (result["runs_done"], result["runs"]) == (8, 8)
    assert len(result["configurations"]["triplet"]["test"]["recall@1"]["values"]) == 2
    assert result["hypotheses"][0]["verdict"] in ("supported", "not supported", "undecided")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2
    assert page.count('class="query"') == 8
    assert page.count('class="found"') == 16
    assert "http" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org/", "")
    assert (tmp_path / "report.md").read_text() == markdown(load_results(folders.store / "shapes.jsonl"))


def test_every_fold_is_tested_once_and_tuning_leaves_one_out(root: Path, tmp_path: Path) -> None:
    settings = ABLATION | {
        "base": ABLATION["base"] | {"norm": "scaled"},
        "test": None,
        "folds": {"count": 2, "stopping": "2 steps"},
        "seeds": [0],
        "tune": {"seed": 5, "grid": {"learning_rate": [0.001]}},
        "hypotheses": [ABLATION["hypotheses"][0] | {"metric": "log-rank"}],
    }
    file = tmp_path / "ablation.yaml"
    file.write_text(json.dumps(settings))
    jobs: list[Job] = []
    folders = Folders(root, tmp_path / "runs", tmp_path / "results", tmp_path / "cache")
    table = run_ablation(
        load_ablation(file), folders, callbacks=RunCallbacks(finished=lambda job, result: jobs.append(job))
    )
    assert [(job.configuration, job.purpose, job.fold) for job in jobs] == [
        ("triplet", "tuning", None),
        ("quadruplet", "tuning", None),
        *((name, "final", fold) for fold in (0, 1) for name in ("triplet", "quadruplet")),
    ]
    assert [(job.config.fold.held_out, job.config.validation) for job in jobs if job.config.fold] == [
        *((0, 0.25),) * 2,
        *((0, 0.0),) * 2,
        *((1, 0.0),) * 2,
    ]
    tests = [_stored(table, job)["test"] for job in jobs[2:]]
    assert sum(test["queries"] for test in tests[::2]) == 4 * 4 * 2  # training photos by their sketches
    assert sum(test["gallery"] for test in tests[::2]) == 4 * 4
    for test in tests:
        ranks = [int(rank) for rank in test["ranks"].split()]
        assert len(ranks) == test["queries"] == sum(map(int, test["sketches_of"].split()))
        assert all(1 <= rank <= test["gallery"] for rank in ranks)
        assert test["norms"]["sketch"][1] == pytest.approx(0, abs=1e-3)
    call = ["compare", str(file), "--data", str(root), "--out", str(tmp_path / "out"), "--max-runs", "0", "--json"]
    found = CliRunner().invoke(cli, [*call, "--store", str(folders.store)], catch_exceptions=False)
    result = json.loads(found.stdout)
    assert (result["runs_done"], result["runs"]) == (6, 6)
    assert result["hypotheses"][0]["verdict"] in ("supported", "rejected", "equivalent", "undecided")
    assert "MDE" in (tmp_path / "out/report.html").read_text()
    assert "Stopping rule: 2 steps" in (tmp_path / "out/report.md").read_text()


def _stored(table: AblationTable, job: Job) -> Run:
    run = find_run(table, job)
    assert run is not None
    return run
