"""Run an ablation: tune each configuration on the validation split, then train its seeds and test each once.

Every finished run is a line of the ablation's table. A run that is in the table with the same settings is not repeated.
"""

from __future__ import annotations

import dataclasses
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sketchseek.ablations.config import Ablation, ProtocolConfig, Settings, file_name
from sketchseek.ablations.fold_ranks import rank_fold
from sketchseek.ablations.source_cache import SourceCache
from sketchseek.ablations.table import AblationTable, Run, read_table, table_path
from sketchseek.errors import ConfigError, TrainingError
from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.mirroring import add_mirror_metrics
from sketchseek.evaluation.protocols import Evaluation, evaluate_dataset
from sketchseek.progress import Progress, ignore_progress
from sketchseek.training.checkpoint import TrainingState
from sketchseek.training.config import TrainConfig, parse_config
from sketchseek.training.data import DataSplits
from sketchseek.training.distributed import ProcessGroup
from sketchseek.training.loop import Events, train
from sketchseek.training.run_folder import load_run, save_experiment
from sketchseek.training.trained_encoder import EncodingCache, TrainedEncoder

EXAMPLES, FOUND = 8, 6
"""Number of example queries that a run stores, and number of results of each."""


@dataclass(frozen=True)
class Folders:
    """Folders that an ablation reads and writes.

    Attributes:
        data: Base of the paths of sources and of the protocol.
        runs: Checkpoints and weights of runs that are under way; deleted when a run ends.
        store: Holds the ablation's table, ``<name>.jsonl``.
        cache: Decoded pixels and frozen features.
    """

    data: Path
    runs: Path
    store: Path
    cache: Path


@dataclass(frozen=True)
class Job:
    """One run of an ablation.

    Attributes:
        configuration: Name of its configuration.
        purpose: ``tuning`` or ``final``.
        config: Its experiment.
        choice: The tuned settings in it.
        fold: The fold that it is tested with; None without cross-validation and for tuning.
    """

    configuration: str
    purpose: str
    config: TrainConfig
    choice: Settings
    fold: int | None = None

    @property
    def folder_name(self) -> str:
        """Name of the folder that holds its checkpoints, below ``Folders.runs``."""
        name = file_name(self.configuration)
        if self.purpose == "tuning":
            return f"tuning/{name}-{self.config.fingerprint}"
        return f"{name}-seed{self.config.seed}" + (f"-fold{self.fold}" if self.fold is not None else "")


@dataclass(frozen=True)
class RunCallbacks:
    """Callbacks that report the progress of an ablation; each does nothing by default.

    Attributes:
        started: Called with a run, its number from 1, and the number of all runs.
        events: Returns the callbacks of that run's training.
        encoding: Called with the progress of the evaluation.
        finished: Called with a run and its result.
    """

    started: Callable[[Job, int, int], None] = lambda job, number, total: None
    events: Callable[[Job], Events] = lambda job: Events()
    encoding: Progress = ignore_progress
    finished: Callable[[Job, Run], None] = lambda job, result: None


def run_ablation(
    ablation: Ablation,
    folders: Folders,
    *,
    max_runs: int | None = None,
    prune: bool = False,
    callbacks: RunCallbacks | None = None,
    group: ProcessGroup | None = None,
) -> AblationTable:
    """Do the runs of an ablation that its table lacks, one after another.

    Stored runs whose settings the ablation no longer asks for are marked as superseded. They count again if the
    ablation asks for them again.

    Args:
        ablation: The ablation.
        folders: Folders to read and write.
        max_runs: Maximum number of runs; None for no limit.
        prune: Delete superseded runs from the table when all runs have ended.
        callbacks: Called as the runs progress, in the main process.
        group: The processes that train each run together; None for a single process. All of them call this function,
            and the main one evaluates and writes.

    Returns:
        The table.

    Raises:
        DatasetError: Data are missing or broken, or the table is damaged or not ours.
        TrainingError: A final run failed, or every tuning run of a configuration.
    """
    callbacks = callbacks or RunCallbacks()
    group = group or ProcessGroup()
    with group.main_process_first():
        table = open_table(ablation, folders.store)
        if group.is_main:
            table.write()
    images, sources = EncodingCache(), SourceCache(folders.data)
    done = 0
    while done != max_runs and (job := next_job(ablation, table)) is not None:
        done += 1
        if not group.is_main:
            _train(job, folders, sources, RunCallbacks(), group)
            group.barrier()
            table = open_table(ablation, folders.store)  # with the main process's result
            continue
        finished, total = count_jobs(ablation, table)
        callbacks.started(job, finished + 1, total)
        result = _run(job, ablation.config.test, folders, sources, images, callbacks, group)
        table.append(result)
        group.barrier()
        if job.purpose == "tuning" or job.configuration not in ablation.config.keep:
            shutil.rmtree(folders.runs / job.folder_name, ignore_errors=True)
        callbacks.finished(job, result)
    if not group.is_main:
        return table
    _mark_superseded(ablation, table)
    if prune:
        table.runs = [run for run in table.runs if not run.get("superseded")]
    table.write()
    return table


def open_table(ablation: Ablation, store: Path) -> AblationTable:
    """The ablation's table with the ablation's present settings; an empty one if there is no file yet.

    Nothing is written.

    Raises:
        DatasetError: A file of the table's name is damaged or not ours.
    """
    path = table_path(store, ablation.config.name)
    table = read_table(path) if path.exists() else AblationTable(path)
    table.settings = dataclasses.asdict(ablation.config) | {
        "configurations": list(ablation.configurations),
        "base": ablation.base,
    }
    _mark_superseded(ablation, table)
    return table


def next_job(ablation: Ablation, table: AblationTable) -> Job | None:
    """The first run that the table lacks; None if it lacks none.

    With folds, all configurations are tuned first, and a fold is complete before the next one begins.
    """
    final = []
    for configuration in ablation.configurations:
        tuning = _tuning_jobs(ablation, configuration)
        for job in tuning:
            if find_run(table, job) is None:
                return job
        jobs = _final_jobs(ablation, configuration, _choose(table, tuning))
        if ablation.config.folds is None and (missing := _first_missing(table, jobs)) is not None:
            return missing
        final.append(jobs)
    return _first_missing(table, [job for jobs in zip(*final, strict=True) for job in jobs])


def _first_missing(table: AblationTable, jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if find_run(table, job) is None), None)


def count_jobs(ablation: Ablation, table: AblationTable) -> tuple[int, int]:
    """Number of runs that are done, and number of all runs."""
    tried = sum(len(_tuning_jobs(ablation, configuration)) for configuration in ablation.configurations)
    return len(_finished(ablation, table)), tried + len(ablation.configurations) * len(_tests(ablation))


def find_run(table: AblationTable, job: Job) -> Run | None:
    """The stored run of a job; None if there is none with the same settings."""
    for run in table.runs:
        same = (run["configuration"], run["purpose"], run["seed"]) == (job.configuration, job.purpose, job.config.seed)
        same = same and run.get("fold") == job.fold
        if same and _has_settings(run, job.config):
            return run
    return None


def _has_settings(run: Run, config: TrainConfig) -> bool:
    """Whether a run was made with an experiment's settings.

    The fingerprint depends on how settings are named. Runs that an older release named otherwise are recognized by
    their stored settings.
    """
    if run["fingerprint"] == config.fingerprint:
        return True
    try:
        return "settings" in run and parse_config(run["settings"]) == config
    except ConfigError:
        return False


def _finished(ablation: Ablation, table: AblationTable) -> list[Run]:
    runs: list[Run] = []
    for configuration in ablation.configurations:
        tuning = _tuning_jobs(ablation, configuration)
        tried = [run for job in tuning if (run := find_run(table, job)) is not None]
        runs += tried
        if len(tried) == len(tuning):
            finals = _final_jobs(ablation, configuration, _choose(table, tuning))
            runs += [run for job in finals if (run := find_run(table, job)) is not None]
    return runs


def _mark_superseded(ablation: Ablation, table: AblationTable) -> None:
    """Mark the runs that the ablation does not ask for, and those alone."""
    current = {id(run) for run in _finished(ablation, table)}
    for run in table.runs:
        run.pop("superseded", None)
        if id(run) not in current:
            run["superseded"] = True


def _tuning_jobs(ablation: Ablation, configuration: str) -> list[Job]:
    if ablation.config.tune is None:
        return []
    seed = ablation.config.tune.seed
    return [
        Job(configuration, "tuning", ablation.experiment(configuration, seed, choice), choice)
        for choice in ablation.choices(configuration)
    ]


def _final_jobs(ablation: Ablation, configuration: str, choice: Settings) -> list[Job]:
    return [
        Job(configuration, "final", ablation.experiment(configuration, seed, choice, fold), choice, fold)
        for seed, fold in _tests(ablation)
    ]


def _tests(ablation: Ablation) -> list[tuple[int, int | None]]:
    """The seed and the fold of each final run of a configuration."""
    folds = ablation.config.folds
    held_out: Iterable[int | None] = [None] if folds is None else folds.held_out
    return [(seed, fold) for seed in ablation.config.seeds for fold in held_out]


def _choose(table: AblationTable, tuning: list[Job]) -> Settings:
    """The settings of the tuning run with the best validation score; none if nothing is tuned."""
    if not tuning:
        return {}
    results = [find_run(table, job) or {} for job in tuning]
    scores = [result.get("score", -1.0) for result in results]
    best = int(np.argmax(scores))
    if scores[best] < 0:
        raise TrainingError(
            f"every tuning run failed ({results[best].get('failed')}).",
            subject=tuning[0].configuration,
            remedy="Change the values under tune in the ablation file.",
        )
    return tuning[best].choice


def _run(
    job: Job,
    protocol: ProtocolConfig | None,
    folders: Folders,
    sources: SourceCache,
    images: EncodingCache,
    callbacks: RunCallbacks,
    group: ProcessGroup,
) -> Run:
    """Train and evaluate one run."""
    folder = folders.runs / job.folder_name
    started, processor = time.perf_counter(), time.process_time()
    result: Run = {
        "configuration": job.configuration,
        "purpose": job.purpose,
        "seed": job.config.seed,
        "choice": job.choice,
        "fingerprint": job.config.fingerprint,
    }
    if job.fold is not None:
        result |= {"fold": job.fold}
    settings = {"settings": dataclasses.asdict(job.config)}
    trained = _train(job, folders, sources, callbacks, group)
    if isinstance(trained, str):
        return result | {"failed": trained} | settings
    progress, splits = trained
    result |= _validation(progress) | {"training_seconds": round(time.perf_counter() - started, 1)}
    if job.fold is not None:
        result |= {"test": rank_fold(folder, splits.fold, folders.cache, callbacks.encoding)}
    if job.purpose == "final" and protocol is not None:
        model, config, _ = load_run(folder)
        encoder = TrainedEncoder(model, config.distance, images)
        evaluation = _evaluate(protocol, folders.data, encoder, callbacks.encoding)
        if protocol.mirrored:
            add_mirror_metrics(evaluation, encoder, progress=callbacks.encoding)
        result |= {"test": _test(evaluation, protocol.protocol)}
    made_with = {
        "sketchseek": version("sketchseek"),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
    result |= {"cpu_seconds": round(time.process_time() - processor, 1)}
    return result | {"made_with": made_with} | settings


def _train(
    job: Job, folders: Folders, sources: SourceCache, callbacks: RunCallbacks, group: ProcessGroup
) -> tuple[TrainingState, DataSplits] | str:
    """Train one run, in every process; the message if a tuning run fails, which it does in all of them."""
    folder = folders.runs / job.folder_name
    with group.main_process_first():
        save_experiment(folder, job.config)
        splits = sources.load(job.config, callbacks.encoding)
    try:
        return train(job.config, splits, folder, folders.cache, callbacks.events(job), group), splits
    except TrainingError as error:
        if job.purpose == "final":
            raise
        return error.message


def _evaluate(protocol: ProtocolConfig, data: Path, encoder: TrainedEncoder, progress: Progress) -> Evaluation:
    return evaluate_dataset(protocol.protocol, data / protocol.path, encoder, progress=progress)


def _validation(state: TrainingState) -> dict[str, Any]:
    best = next((row for row in state.history if row["step"] == state.best_step), {})
    return {
        "score": state.best,
        "best_step": state.best_step,
        "validation": {name: round(v, 5) for name, v in best.items() if name not in ("step", "loss", "seconds")},
        "history": [{name: round(value, 5) for name, value in row.items()} for row in state.history],
    }


def _test(evaluation: Evaluation, protocol: str) -> dict[str, Any]:
    """Metrics, the rank of each query, and a few example queries with their results."""
    report = evaluation.report
    finite = np.minimum(evaluation.scores.rank, report.gallery + 1)
    _, clusters = np.unique([sketch.photo or sketch.key for sketch in evaluation.sketches], return_inverse=True)
    sample = np.random.default_rng(0).permutation(len(evaluation.queries.read))[:EXAMPLES]
    asked, shelf = evaluation.queries.embeddings[sample], evaluation.gallery.embeddings
    found = nearest(asked, shelf, min(FOUND, len(shelf)), distance=evaluation.distance)
    return {
        "protocol": protocol,
        "split": report.split,
        "split_sha256": report.split_sha256,
        "queries": report.queries,
        "gallery": report.gallery,
        "metrics": {name: round(value, 6) for name, value in report.metrics.items()},
        "ranks": " ".join(str(int(rank)) for rank in finite),
        "clusters": " ".join(map(str, clusters.tolist())),
        "examples": [
            {
                "sketch": evaluation.sketches[int(evaluation.queries.read[query])].key,
                "rank": int(finite[evaluation.queries.read[query]]),
                "photos": [evaluation.photos[i].key for i in row],
            }
            for query, row in zip(sample.tolist(), found.tolist(), strict=True)
        ],
    }
