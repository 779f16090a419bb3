"""An ablation file (YAML): one experiment in several configurations, each with several seeds and optional tuning."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from sketchseek.datasets.registry import dataset_spec
from sketchseek.errors import ConfigError
from sketchseek.training.config import TrainConfig, parse_config
from sketchseek.training.losses import create_loss
from sketchseek.training.settings import SETTINGS, Bool, Float, Int, check_settings, load_settings

Settings = dict[str, Any]
MetricName = Literal["recall@1", "recall@5", "recall@10", "log-rank"]


@dataclass(frozen=True, config=SETTINGS)
class ProtocolConfig:
    """The test protocol, applied once to the best weights of each final run.

    Attributes:
        protocol: Name of a data set in ``sketchseek.datasets.registry`` that is evaluated at instance level.
        path: The data set's folder, absolute or relative to the ``--data`` folder.
        mirrored: Also measure the confusion with mirror images (``sketchseek.evaluation.mirroring``).
    """

    protocol: str
    path: str
    mirrored: bool = False


@dataclass(frozen=True, config=SETTINGS)
class TuneConfig:
    """Settings that are tuned for each configuration before its seeds are run; validation recall decides.

    Attributes:
        grid: Values by setting, such as ``learning_rate`` or ``losses.0.options.margin``; all combinations are tried.
        instead: Grids of single configurations, by name; each with as many combinations as ``grid``.
        seed: Seed of the tuning runs.
    """

    grid: dict[str, Any]
    instead: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, config=SETTINGS)
class HypothesisConfig:
    """A hypothesis that the ablation tests.

    Attributes:
        hypothesis: The hypothesis as a sentence.
        better: Configurations that the hypothesis says are better.
        than: Configurations to compare them with, pair by pair; the mean difference decides.
        metric: ``recall@1``, ``recall@5``, ``recall@10`` or ``log-rank`` (``sketchseek.ablations.results``).
        tolerance: With folds: how much worse "better" may be, between 0 and 1. Above 0 this is a test for
            non-inferiority.
        categories: With folds: count only the sketches of these categories; empty for all.
        total: With folds: add up the differences of the pairs in place of their mean, for an interaction, which is a
            difference of differences.
    """

    hypothesis: str
    better: list[str]
    than: list[str]
    metric: MetricName = "recall@1"
    tolerance: Annotated[Float, Field(ge=0, lt=1)] = 0.0
    total: Bool = False
    categories: list[str] = field(default_factory=list)


@dataclass(frozen=True, config=SETTINGS)
class FoldsConfig:
    """Cross-validation in place of a test protocol: each fold of the training photos is searched once.

    A final run trains without one fold and then ranks the fold's photos for each of its sketches. Other renditions of
    the sketch's own photo are left out of the ranking. There is no validation split; the last weights count. Tuning
    trains without fold 0, and its validation split is taken from the other folds.

    Attributes:
        count: Number of folds.
        seed: Chooses the folds.
        runs: The folds that are run, the first so many; 0 for all.
        margin: Differences within this are equivalent, between 0 and 1.
        tests: How often these hypotheses have been tested, this time included; p-values are multiplied by it.
        stopping: When training and adding runs stop, in words. Write it before the first run.
    """

    count: Annotated[Int, Field(ge=2)]
    stopping: str
    seed: Annotated[Int, Field(ge=0)] = 0
    runs: Annotated[Int, Field(ge=0)] = 0
    margin: Annotated[Float, Field(gt=0, lt=1)] = 0.01
    tests: Annotated[Int, Field(ge=1)] = 1

    @property
    def held_out(self) -> range:
        """Numbers of the folds that are run."""
        return range(min(self.runs or self.count, self.count))


@dataclass(frozen=True, config=SETTINGS)
class AblationConfig:
    """The settings of an ablation file.

    Attributes:
        name: Name of the ablation and of its table of results.
        base: Settings of an experiment without ``name`` and ``seed``, or the path of an experiment file.
        vary: Changes by configuration: settings, nested or with dots (``losses.0.options.margin``).
        cross: Instead of ``vary``, a list of such mappings. Every combination is a configuration, named ``a × b``.
        seeds: Seeds of the final runs of each configuration.
        title: Heading of the report.
        text: Introduction of the report.
        tune: Settings to tune first; null for no tuning.
        test: Test protocol of final runs; null for validation metrics only.
        folds: Cross-validation of final runs in place of ``test``; null for none.
        keep: Configurations whose final runs are kept, so that later configurations can name them as teachers or in
            ``init_from``, by ``runs/compare/<file>/runs/<configuration>-seed<n>-fold{fold}``.
        hypotheses: Hypotheses that the ablation tests.
    """

    name: str
    base: Any
    vary: dict[str, Any] = field(default_factory=dict)
    cross: list[Any] = field(default_factory=list)
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    title: str = ""
    text: str = ""
    tune: TuneConfig | None = None
    test: ProtocolConfig | None = None
    folds: FoldsConfig | None = None
    keep: list[str] = field(default_factory=list)
    hypotheses: list[HypothesisConfig] = field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Ablation:
    """A validated ablation.

    Attributes:
        config: Settings of the file.
        configurations: Changes by configuration, in the order of the file; applied one after the other.
        base: Settings that they change.
    """

    config: AblationConfig
    configurations: dict[str, list[Settings]]
    base: Settings

    def experiment(
        self, configuration: str, seed: int, choice: Settings | None = None, fold: int | None = None
    ) -> TrainConfig:
        """The experiment of one run.

        Args:
            configuration: Its configuration.
            seed: Its seed.
            choice: Its tuned settings.
            fold: The fold that a final run keeps for its test; None for the other runs.
        """
        settings = self.base
        for changes in [*self.configurations[configuration], choice or {}]:
            settings = change_settings(settings, changes)
        settings = settings | {"name": f"{self.config.name}: {configuration}", "seed": seed}
        if self.config.folds is not None:
            settings["fold"] = {
                "count": self.config.folds.count,
                "held_out": fold or 0,
                "seed": self.config.folds.seed,
            }
            settings |= {} if fold is None else {"validation": 0.0}
            settings = _named_by_fold(settings, fold or 0)
        return parse_config(settings)

    def choices(self, configuration: str) -> list[Settings]:
        """Every combination of tuned settings; a single empty one if nothing is tuned."""
        if self.config.tune is None:
            return [{}]
        grid = self.config.tune.instead.get(configuration, self.config.tune.grid)
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def load_ablation(file: Path) -> Ablation:
    """Read an ablation file and check the settings of every run.

    Raises:
        ConfigError: The file is missing or no YAML, or a key is wrong or missing.
    """
    data = load_settings(file)
    try:
        config = check_settings(AblationConfig, data, "ablation")
        base = load_settings(file.parent / config.base) if isinstance(config.base, str) else config.base
        ablation = Ablation(config, _configurations(config), base)
        _check(ablation)
    except ConfigError as error:
        raise ConfigError(error.message, subject=file, remedy=error.remedy) from error
    return ablation


def change_settings(settings: Settings, changes: Settings) -> Settings:
    """A copy of settings with changes applied: mappings are merged, other values are replaced.

    Args:
        settings: The original settings, which stay as they are.
        changes: New values. A key with dots is a path through mappings and lists (``losses.0.options.margin``).

    Raises:
        ConfigError: A path does not exist.
    """
    changed = copy.deepcopy(settings)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = changed
        for part in parents:
            if isinstance(place, dict):
                place = place.setdefault(part, {})
            elif isinstance(place, list) and part.isdecimal() and int(part) < len(place):
                place = place[int(part)]
            else:
                raise ConfigError(f"there is no {part} to change.", subject=path)
        if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
            place[int(last)] = copy.deepcopy(value)
        elif not isinstance(place, dict):
            raise ConfigError(f"there is no {last} to change.", subject=path)
        elif isinstance(value, dict) and isinstance(place.get(last), dict):
            place[last] = change_settings(place[last], value)
        else:
            place[last] = copy.deepcopy(value)
    return changed


def file_name(configuration: str) -> str:
    """A name with every character replaced that is not safe in file names."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in configuration)


def _named_by_fold(settings: Settings, fold: int) -> Settings:
    """Settings with the fold's number in place of ``{fold}`` in the names of runs, of which each fold has its own."""
    named = copy.deepcopy(settings)
    for branch in (named.get("sketch"), named.get("photo")):
        if isinstance(branch, dict) and "init_from" in branch:
            branch["init_from"] = str(branch["init_from"]).replace("{fold}", str(fold))
    distil = named.get("distil")
    if isinstance(distil, dict) and isinstance(distil.get("teachers"), list):
        distil["teachers"] = [str(name).replace("{fold}", str(fold)) for name in distil["teachers"]]
    return named


def _configurations(config: AblationConfig) -> dict[str, list[Settings]]:
    if bool(config.vary) == bool(config.cross):
        raise ConfigError("Set either vary or cross.", remedy="vary: {name: {setting: value}}")
    axes = config.cross or [config.vary]
    for axis in axes:
        if not isinstance(axis, dict) or not axis or not all(isinstance(changes, dict) for changes in axis.values()):
            raise ConfigError("vary, and each item of cross, must be a mapping from names to settings.")
    return {
        " × ".join(str(name) for name, _ in combination): [changes for _, changes in combination]
        for combination in itertools.product(*(axis.items() for axis in axes))
    }


def _check(ablation: Ablation) -> None:
    config = ablation.config
    if not config.seeds or len(set(config.seeds)) != len(config.seeds):
        raise ConfigError("seeds: give at least one, and none twice.")
    names = [file_name(configuration) for configuration in ablation.configurations]
    if len(set(names)) < len(names):
        raise ConfigError(
            "Two configurations have the same file name once special characters are replaced.",
            remedy="Rename one of them.",
        )
    if not isinstance(ablation.base, dict):
        raise ConfigError("base: must be a mapping of settings or the path of an experiment file.")
    _check_test(config)
    if config.tune is not None:
        _check_tuning(config.tune, ablation)
    for hypothesis in config.hypotheses:
        _check_hypothesis(hypothesis, ablation)
    if missing := [name for name in config.keep if name not in ablation.configurations]:
        raise ConfigError(f"keep: there is no configuration {missing[0]!r}.")
    for configuration in ablation.configurations:
        _check_experiments(configuration, ablation)


def _check_test(config: AblationConfig) -> None:
    if config.test is not None and config.folds is not None:
        raise ConfigError("Set either test or folds.")
    if config.test is not None and dataset_spec(config.test.protocol, "evaluate").relevance != "photo":
        raise ConfigError(f"test.protocol: {config.test.protocol!r} is not evaluated at instance level.")


def _check_tuning(tune: TuneConfig, ablation: Ablation) -> None:
    unknown = sorted(tune.instead.keys() - ablation.configurations.keys())
    if unknown:
        raise ConfigError(f"tune.instead: there is no configuration {unknown[0]!r}.")
    for name, grid in {"grid": tune.grid, **tune.instead}.items():
        if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
            raise ConfigError(f"tune.{name}: must be a mapping from settings to lists of values.")
    budgets = {configuration: len(ablation.choices(configuration)) for configuration in ablation.configurations}
    if len(set(budgets.values())) > 1:
        counts = ", ".join(f"{configuration} {count}" for configuration, count in budgets.items())
        raise ConfigError(f"tune: configurations have unequal budgets ({counts} combinations).")


def _check_hypothesis(hypothesis: HypothesisConfig, ablation: Ablation) -> None:
    unknown = [name for name in hypothesis.better + hypothesis.than if name not in ablation.configurations]
    if unknown:
        raise ConfigError(f"hypotheses: there is no configuration {', '.join(unknown)}.")
    if ablation.config.folds is None and (hypothesis.tolerance or hypothesis.total or hypothesis.categories):
        raise ConfigError("hypotheses: tolerance, total and categories need folds.")
    if len(hypothesis.better) != len(hypothesis.than) or not hypothesis.better:
        raise ConfigError(f"hypotheses: {hypothesis.hypothesis!r}: better and than need as many configurations each.")


def _check_experiments(configuration: str, ablation: Ablation) -> None:
    """Check the settings of every run of a configuration."""
    for choice in ablation.choices(configuration):
        try:
            experiment = ablation.experiment(configuration, ablation.config.seeds[0], choice)
            for term in experiment.losses:
                create_loss(term.name, experiment.distance, **term.options)
        except ConfigError as error:
            raise ConfigError(error.message, subject=configuration, remedy=error.remedy) from error
