"""A ablation file (YAML): one experiment in several configurations, each with several seeds, perhaps tuned."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sketchseek.errors import ConfigError
from sketchseek.training.config import TrainConfig, check_settings, load_settings, parse_config
from sketchseek.training.losses import create_loss

Settings = dict[str, Any]
Protocol = Literal["sketchy", "chairv2", "shoev2", "pairs"]
MetricValue = Literal["recall@1", "recall@5", "recall@10"]


@dataclass(frozen=True)
class ProtocolConfig:
    """What the best weights of each final run are measured by, once.

    Attributes:
        protocol: ``sketchy``, ``chairv2``, ``shoev2`` or ``pairs`` (``sketchseek.evaluation.protocols``).
        path: The data set's folder, relative to the ``--data`` folder or absolute.
        mirrored: Measure also how sketches stand mirror images (``sketchseek.evaluation.mirroring``).
    """

    protocol: Protocol
    path: str
    mirrored: bool = False


@dataclass(frozen=True)
class TuneConfig:
    """What is tried for each configuration before its seeds are run; validation recall alone decides.

    Attributes:
        grid: Values to try by setting, such as ``learning_rate`` or ``losses.0.options.margin``; all combinations.
        instead: Another grid for configurations that lack these settings, by configuration; with as many combinations.
        seed: Seed of the runs that tune.
    """

    grid: dict[str, Any]
    instead: dict[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class HypothesisConfig:
    """A sentence that the ablation is to decide.

    Attributes:
        hypothesis: The sentence.
        better, than: Configurations whose metrics are compared, pair by pair; the mean difference decides.
        metric: ``recall@1``, ``recall@5`` or ``recall@10``.
    """

    hypothesis: str
    better: list[str]
    than: list[str]
    metric: MetricValue = "recall@1"


@dataclass(frozen=True)
class AblationConfig:
    """A ablation file's settings.

    Attributes:
        name: Its name, and that of the folder with its results.
        base: An experiment's settings without ``name`` and ``seed``, or the path of an experiment file.
        vary: What each configuration changes: settings, nested or with dots (``losses.0.options.margin``).
        cross: Instead of ``vary``, several of its kind: a configuration is one of each, named ``a × b``.
        seeds: Seeds of each configuration's final runs.
        title, text: For the report.
        tune: What is tuned first, if anything.
        test: How final runs are measured; none for validation metrics only.
        hypotheses: What the ablation is to decide.
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
    hypotheses: list[HypothesisConfig] = field(default_factory=list)


@dataclass(frozen=True)
class Ablation:
    """A checked ablation.

    Attributes:
        config: The file's settings.
        configurations: By configuration, in the file's order, what is changed, one after the other.
        base: The settings that they change.
    """

    config: AblationConfig
    configurations: dict[str, list[Settings]]
    base: Settings

    def experiment(self, configuration: str, seed: int, choice: Settings | None = None) -> TrainConfig:
        """One run's experiment; ``choice`` are tuned settings."""
        settings = self.base
        for changes in [*self.configurations[configuration], choice or {}]:
            settings = change_settings(settings, changes)
        return parse_config(settings | {"name": f"{self.config.name}: {configuration}", "seed": seed})

    def choices(self, configuration: str) -> list[Settings]:
        """Every combination of tuned settings; one, empty, where nothing is tuned."""
        if self.config.tune is None:
            return [{}]
        grid = self.config.tune.instead.get(configuration, self.config.tune.grid)
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def load_ablation(file: Path) -> Ablation:
    """Read a ablation file, and check the settings of every run that it asks for.

    Raises:
        ConfigError: It is missing, not YAML, or a key is wrong or missing.
    """
    data = load_settings(file)
    try:
        config = check_settings(AblationConfig, data, "ablation")
        base = load_settings(file.parent / config.base) if isinstance(config.base, str) else config.base
        ablation = Ablation(config, _configurations(config), base)
        _check(ablation)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}", remedy=error.remedy) from error
    return ablation


def change_settings(settings: Settings, changes: Settings) -> Settings:
    """Settings with some of them changed: mappings are merged, everything else is replaced.

    Args:
        settings: What is changed; it is left as it is.
        changes: New values; a key with dots leads into mappings and lists (``losses.0.options.margin``).

    Raises:
        ConfigError: A key with dots leads nowhere.
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
                raise ConfigError(f"{path}: there is no {part} to change.")
        if isinstance(place, list) and last.isdecimal() and int(last) < len(place):
            place[int(last)] = copy.deepcopy(value)
        elif not isinstance(place, dict):
            raise ConfigError(f"{path}: there is no {last} to change.")
        elif isinstance(value, dict) and isinstance(place.get(last), dict):
            place[last] = change_settings(place[last], value)
        else:
            place[last] = copy.deepcopy(value)
    return changed


def file_name(configuration: str) -> str:
    """A configuration's name as part of a file's name."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in configuration)


def _configurations(config: AblationConfig) -> dict[str, list[Settings]]:
    if bool(config.vary) == bool(config.cross):
        raise ConfigError("either vary or cross is needed.", remedy="vary: {name: {setting: value}}")
    axes = config.cross or [config.vary]
    for axis in axes:
        if not isinstance(axis, dict) or not axis or not all(isinstance(changes, dict) for changes in axis.values()):
            raise ConfigError("vary, and each of cross, is a mapping from names to mappings of settings.")
    return {
        " × ".join(str(name) for name, _ in combination): [changes for _, changes in combination]
        for combination in itertools.product(*(axis.items() for axis in axes))
    }


def _check(ablation: Ablation) -> None:
    config = ablation.config
    if not config.seeds or len(set(config.seeds)) != len(config.seeds):
        raise ConfigError("seeds: at least one is needed, and none twice.")
    names = [file_name(configuration) for configuration in ablation.configurations]
    if len(set(names)) < len(names):
        raise ConfigError(
            "two configurations have names that no file's name tells apart.", remedy="Rename one of them."
        )
    if not isinstance(ablation.base, dict):
        raise ConfigError("base: a mapping of settings, or the path of an experiment file, is needed.")
    if config.tune is not None:
        for name, grid in {"grid": config.tune.grid, **config.tune.instead}.items():
            if name != "grid" and name not in ablation.configurations:
                raise ConfigError(f"tune.instead: there is no configuration {name!r}.")
            if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
                raise ConfigError(f"tune: {name}: a mapping from settings to lists of values is needed.")
    budgets = {configuration: len(ablation.choices(configuration)) for configuration in ablation.configurations}
    if len(set(budgets.values())) > 1:
        counts = ", ".join(f"{configuration} {count}" for configuration, count in budgets.items())
        raise ConfigError(f"tune: configurations would get unequal budgets ({counts} combinations).")
    for hypothesis in config.hypotheses:
        unknown = [name for name in hypothesis.better + hypothesis.than if name not in ablation.configurations]
        if unknown:
            raise ConfigError(f"hypotheses: there is no configuration {', '.join(unknown)}.")
        if len(hypothesis.better) != len(hypothesis.than) or not hypothesis.better:
            raise ConfigError(
                f"hypotheses: {hypothesis.hypothesis!r} needs as many configurations that are better as to compare with."
            )
    for configuration in ablation.configurations:
        for choice in ablation.choices(configuration):
            try:
                experiment = ablation.experiment(configuration, config.seeds[0], choice)
                for term in experiment.losses:
                    create_loss(term.name, experiment.distance, **term.options)
            except ConfigError as error:
                raise ConfigError(f"{configuration}: {error.message}", remedy=error.remedy) from error
