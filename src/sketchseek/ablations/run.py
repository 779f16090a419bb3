"""Runs a ablation: tunes each configuration on the validation part, then trains its seeds and measures them, once, by protocol.

Every finished run is a small JSON file in the ablation's store; a run that has one, of the same settings, is not repeated.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sketchseek.ablations.config import Ablation, ProtocolConfig, Settings, file_name
from sketchseek.errors import ConfigError, TrainingError
from sketchseek.evaluation.encode_dataset import Progress as Reading
from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.mirroring import add_mirror_figures
from sketchseek.evaluation.protocols import Evaluation, evaluate_dataset
from sketchseek.training.checkpoint import Progress, write_text
from sketchseek.training.config import TrainConfig
from sketchseek.training.data import Parts, load_sources
from sketchseek.training.loop import Events, load_run, save_experiment, train
from sketchseek.training.trained_encoder import ReadingMemory, TrainedEncoder

EXAMPLES, FOUND = 8, 6
"""How many queries a run keeps for pictures, and how many of the first photos of each."""


@dataclass(frozen=True)
class Folders:
    """Where a ablation reads and writes.

    Attributes:
        data: What the sources' and the protocol's paths start from.
        runs: Checkpoints and weights, which go when a run is done; an interrupted run is continued from here.
        store: Small results, one JSON file a run, and ``ablation.json``.
        cache: Decoded pixels and frozen stages' outputs.
    """

    data: Path
    runs: Path
    store: Path
    cache: Path


@dataclass(frozen=True)
class Job:
    """One run of a ablation.

    Attributes:
        configuration: Its configuration.
        purpose: ``tuning`` or ``final``.
        config: Its experiment.
        choice: The tuned settings in it.
    """

    configuration: str
    purpose: str
    config: TrainConfig
    choice: Settings

    @property
    def file(self) -> str:
        """Name of its result, below the store."""
        name = file_name(self.configuration)
        if self.purpose == "tuning":
            return f"tuning/{name}-{self.config.fingerprint}.json"
        return f"{name}-seed{self.config.seed}.json"


@dataclass(frozen=True)
class Watching:
    """What a ablation tells its caller; every method does nothing by default.

    Attributes:
        began: Called with a run, its number from 1, and how many there are in all.
        events: For the training of that run.
        reading: Told how far the evaluation is.
        ended: Called with a run and its result.
    """

    began: Callable[[Job, int, int], None] = lambda job, number, total: None
    events: Callable[[Job], Events] = lambda job: Events()
    reading: Reading = lambda what, done, total: None
    ended: Callable[[Job, dict[str, Any]], None] = lambda job, result: None


def run_ablation(
    ablation: Ablation, folders: Folders, *, most: int | None = None, watching: Watching | None = None
) -> None:
    """Do the runs of a ablation that its store lacks, one after another.

    Args:
        ablation: The ablation.
        folders: Where it reads and writes.
        most: Do at most so many runs; None for all.
        watching: Told how far it is.

    Raises:
        DatasetError: Data are missing or broken.
        TrainingError: A final run, or every run that tunes a configuration, failed.
    """
    watching = watching or Watching()
    described = dataclasses.asdict(ablation.config) | {
        "configurations": list(ablation.configurations),
        "base": ablation.base,
    }
    folders.store.mkdir(parents=True, exist_ok=True)
    write_text(folders.store / "ablation.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    _forget_others(ablation, folders.store)
    memory, load = ReadingMemory(), _PartsMemory(folders.data)
    done = 0
    while done != most and (job := next_job(ablation, folders.store)) is not None:
        finished, total = count_jobs(ablation, folders.store)
        watching.began(job, finished + 1, total)
        result = _run(job, ablation.config.test, folders, load, memory, watching)
        file = folders.store / job.file
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        shutil.rmtree(_run_folder(folders, job), ignore_errors=True)
        watching.ended(job, result)
        done += 1


def next_job(ablation: Ablation, store: Path) -> Job | None:
    """The first run that the store lacks; None where it lacks none."""
    for configuration in ablation.configurations:
        tuning = _tuning_jobs(ablation, configuration)
        for job in tuning:
            if read_result(store, job) is None:
                return job
        for job in _final_jobs(ablation, configuration, _choose(store, tuning)):
            if read_result(store, job) is None:
                return job
    return None


def count_jobs(ablation: Ablation, store: Path) -> tuple[int, int]:
    """How many runs of a ablation are done, and how many there are."""
    tried = sum(len(_tuning_jobs(ablation, configuration)) for configuration in ablation.configurations)
    return len(_finished(ablation, store)), tried + len(ablation.configurations) * len(ablation.config.seeds)


def read_result(store: Path, job: Job) -> dict[str, Any] | None:
    """A finished run's result; None where there is none, or one of other settings.

    Raises:
        ConfigError: The file is damaged.
    """
    try:
        result = json.loads((store / job.file).read_text(encoding="utf-8"))
        same = result["fingerprint"] == job.config.fingerprint
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{store / job.file}: damaged ({error!r}).", remedy="Delete it: the run is repeated."
        ) from error
    return dict(result) if same else None


def _finished(ablation: Ablation, store: Path) -> list[Job]:
    jobs: list[Job] = []
    for configuration in ablation.configurations:
        tuning = _tuning_jobs(ablation, configuration)
        jobs += (done := [job for job in tuning if read_result(store, job) is not None])
        if len(done) == len(tuning):
            finals = _final_jobs(ablation, configuration, _choose(store, tuning))
            jobs += [job for job in finals if read_result(store, job) is not None]
    return jobs


def _forget_others(ablation: Ablation, store: Path) -> None:
    """Delete results of settings that the ablation no longer asks for: they would stand in its report."""
    params = {store / job.file for job in _finished(ablation, store)} | {store / "ablation.json"}
    for file in {*store.glob("*.json"), *store.glob("tuning/*.json")} - params:
        file.unlink()


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
        Job(configuration, "final", ablation.experiment(configuration, seed, choice), choice)
        for seed in ablation.config.seeds
    ]


def _choose(store: Path, tuning: list[Job]) -> Settings:
    """The settings of the best run by validation recall; none where nothing is tuned."""
    if not tuning:
        return {}
    results = [read_result(store, job) or {} for job in tuning]
    scores = [result.get("score", -1.0) for result in results]
    best = int(np.argmax(scores))
    if scores[best] < 0:
        raise TrainingError(
            f"{tuning[0].configuration}: every run that tunes it failed ({results[best].get('failed')})."
        )
    return tuning[best].choice


def _run(
    job: Job,
    protocol: ProtocolConfig | None,
    folders: Folders,
    load: _PartsMemory,
    memory: ReadingMemory,
    watching: Watching,
) -> dict[str, Any]:
    """Train and measure one run."""
    folder = _run_folder(folders, job)
    started = time.perf_counter()
    result: dict[str, Any] = {
        "configuration": job.configuration,
        "purpose": job.purpose,
        "seed": job.config.seed,
        "choice": job.choice,
        "fingerprint": job.config.fingerprint,
    }
    save_experiment(folder, job.config)
    try:
        progress = train(job.config, load.parts(job.config), folder, folders.cache, watching.events(job))
    except TrainingError as error:
        if job.purpose == "final":
            raise
        return result | {"failed": error.message}
    result |= _validation(progress) | {"training_seconds": round(time.perf_counter() - started, 1)}
    if job.purpose == "final" and protocol is not None:
        model, config, _ = load_run(folder)
        encoder = TrainedEncoder(model, config.distance, memory)
        evaluation = _evaluate(protocol, folders.data, encoder, watching.reading)
        if protocol.mirrored:
            add_mirror_figures(evaluation, encoder, progress=watching.reading)
        result |= {"test": _test(evaluation, protocol.protocol)}
    return result | {
        "made_with": {
            "sketchseek": version("sketchseek"),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        },
        "settings": dataclasses.asdict(job.config),
    }


def _evaluate(protocol: ProtocolConfig, data: Path, encoder: TrainedEncoder, reading: Reading) -> Evaluation:
    return evaluate_dataset(protocol.protocol, data / protocol.path, encoder, progress=reading)


def _validation(progress: Progress) -> dict[str, Any]:
    best = next((row for row in progress.history if row["step"] == progress.best_step), {})
    return {
        "score": progress.best,
        "best_step": progress.best_step,
        "validation": {name: round(v, 5) for name, v in best.items() if name not in ("step", "loss", "seconds")},
        "history": [{name: round(value, 5) for name, value in row.items()} for row in progress.history],
    }


def _test(evaluation: Evaluation, protocol: str) -> dict[str, Any]:
    """Figures, each query's rank, and a few queries with what they found."""
    report = evaluation.report
    finite = np.minimum(evaluation.scores.rank, report.gallery + 1)
    _, clusters = np.unique([sketch.photo or sketch.key for sketch in evaluation.sketches], return_inverse=True)
    sample = np.random.default_rng(0).permutation(len(evaluation.drawn.read))[:EXAMPLES]
    asked, shelf = evaluation.drawn.vectors[sample], evaluation.shelved.vectors
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
                "sketch": evaluation.sketches[int(evaluation.drawn.read[query])].key,
                "rank": int(finite[evaluation.drawn.read[query]]),
                "photos": [evaluation.photos[i].key for i in row],
            }
            for query, row in zip(sample.tolist(), found.tolist(), strict=True)
        ],
    }


def _run_folder(folders: Folders, job: Job) -> Path:
    return folders.runs / Path(job.file).with_suffix("")


class _PartsMemory:
    """The lists of the sources that were read last: most runs of a ablation share them."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._key: Any = None
        self._parts: Parts | None = None

    def parts(self, config: TrainConfig) -> Parts:
        key = (config.sources, config.validation, config.validation_seed)
        if self._parts is None or key != self._key:
            self._parts = load_sources(config.sources, self._data, config.validation, config.validation_seed)
            self._key = key
        return self._parts
