"""``docs/reference/settings.md``: every setting of experiments and ablations, from the classes that check them."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from measured import table

from sketchseek.ablations.config import AblationConfig, FoldsConfig, HypothesisConfig, ProtocolConfig, TuneConfig
from sketchseek.datasets.registry import dataset_specs
from sketchseek.training.config import (
    AugmentConfig,
    BatchConfig,
    DistilConfig,
    EvaluationConfig,
    FoldConfig,
    LossConfig,
    SourceConfig,
    TrainConfig,
)
from sketchseek.training.losses import LOSSES, MINERS
from sketchseek.training.losses.batch_triplets import BatchTripletLoss
from sketchseek.training.nn.model import BranchConfig
from sketchseek.training.settings import bounds_of

_SECTIONS: dict[type, str] = {
    TrainConfig: "Experiment",
    BranchConfig: "Branch",
    SourceConfig: "Source",
    LossConfig: "Loss",
    BatchConfig: "Batch",
    AugmentConfig: "Augmentation",
    DistilConfig: "Distillation",
    EvaluationConfig: "Evaluation",
    FoldConfig: "Fold",
    AblationConfig: "Ablation",
    TuneConfig: "Tuning",
    HypothesisConfig: "Hypothesis",
    ProtocolConfig: "Test protocol",
    FoldsConfig: "Folds",
}
_TYPES = {float: "number", int: "integer", bool: "true or false", str: "text", Any: "any"}
_SYMBOLS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def settings() -> str:
    """All settings as Markdown, a section for each class."""
    parts = [
        "# Settings of an experiment",
        "",
        "Generated from the code by `make docs`. An experiment is a YAML file with the settings of the first table;",
        "[Train](../guides/train.md) shows how to use it. An unknown setting, a wrong type or a value out of range is",
        "an error.",
        "",
    ]
    for section, title in _SECTIONS.items():
        parts += [f"## {title}", "", *_table_of(section), ""]
        if section is SourceConfig:
            parts += [*_data_sets(), ""]
        if section is LossConfig:
            parts += [*_losses(), ""]
    return "\n".join(parts)


def _table_of(section: type) -> list[str]:
    """The settings of one class. A setting that its docstring does not explain is an error."""
    meanings = _explained(section, "Attributes")
    hints = typing.get_type_hints(section, include_extras=True)
    rows = []
    for item in dataclasses.fields(section):
        if item.name not in meanings:
            raise SystemExit(f"The docstring of {section.__name__} does not explain the setting {item.name}.")
        rows.append([f"`{item.name}`", _type(hints[item.name]), _default(item), _markdown(meanings[item.name])])
    return table(["setting", "type", "default", "meaning"], rows)


def _type(hint: Any) -> str:
    """The type and range of a setting in words."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SECTIONS:
        title = _SECTIONS[hint]
        return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"
    if origin is Annotated:
        bounds = ", ".join(f"{_SYMBOLS[name]} {bound}" for name, bound in bounds_of(hint).items())
        return f"{_TYPES[inner[0]]} {bounds}".strip()
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin is list:
        return f"list of: {_type(inner[0])}"
    if origin is dict:
        return "mapping" if inner[1] is Any else f"mapping to: {_type(inner[1])}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join("`null`" if each is type(None) else _type(each) for each in inner)
    return _TYPES[hint]


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is not dataclasses.MISSING:
        return _value(item.default)
    if item.default_factory is dataclasses.MISSING:
        return "required"
    value = item.default_factory()
    if type(value) in _SECTIONS:
        return "its defaults"
    if value == [LossConfig("triplet")]:
        return "`[{name: triplet}]`"
    return _value(value)


def _value(value: Any) -> str:
    """A value as YAML writes it."""
    return "empty" if value in ("", [], {}) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _explained(documented: type, heading: str) -> dict[str, str]:
    """The entries of a Google-style docstring's section, by name."""
    text = inspect.getdoc(documented) or ""
    body = re.search(rf"^{heading}:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in body.group(1).splitlines() if body else ():
        if entry := re.match(r" {4}([\w*, ]+): (.*)", line):
            names = entry.group(1).split(", ")
            entries |= dict.fromkeys(names, entry.group(2))
        elif line.strip():
            entries |= {name: f"{entries[name]} {line.strip()}" for name in names}
    return {name: text for name, text in entries.items() if not name.startswith("*")}


def _markdown(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _data_sets() -> Iterator[str]:
    """The data sets that ``kind`` can name."""
    yield "### Data sets"
    yield ""
    yield "`kind` is one of these data sets. `variant`, `exclude` and `zero_shot` can name what their columns list."
    yield ""
    rows = [
        [
            f"`{spec.name}`",
            spec.title,
            _markdown(spec.layout),
            ", ".join(f"`{name}`" for name in spec.variants),
            ", ".join(f"`{name}`" for name in spec.exclusion_lists),
            ", ".join(f"`{name}`" for name in spec.splits[1:]),
        ]
        for spec in dataset_specs("train")
    ]
    yield from table(["kind", "data set", "layout", "variants", "exclusion lists", "zero-shot splits"], rows)


def _losses() -> Iterator[str]:
    """The losses and miners that ``name`` and ``miner`` can name, with their options."""
    ours = {name: loss for name, loss in LOSSES.items() if issubclass(loss, BatchTripletLoss)}
    yield "### Losses and miners"
    yield ""
    yield "`name` is one of these losses, and `options` are its arguments:"
    yield ""
    yield from table(["name", "loss", "options and defaults"], [_constructor(*each) for each in LOSSES.items()])
    yield ""
    yield f"{', '.join(f'`{name}`' for name in ours)} are our own losses. The last rows are options of all of them."
    yield ""
    rows = []
    for name, loss in [*ours.items(), ("all of them", BatchTripletLoss)]:
        rows += [
            ["" if number else name if loss is BatchTripletLoss else f"`{name}`", f"`{option}`", _markdown(meaning)]
            for number, (option, meaning) in enumerate(_explained(loss, "Args").items())
        ]
    yield from table(["loss", "option", "meaning"], rows)
    yield ""
    yield "`miner` is one of these miners, and `miner_options` are its arguments. Losses and miners of"
    yield "[pytorch-metric-learning](https://kevinmusgrave.github.io/pytorch-metric-learning/) are explained there."
    yield ""
    yield from table(["miner", "class", "options and defaults"], [_constructor(*each) for each in MINERS.items()])


def _constructor(name: str, kind: type) -> list[str]:
    """Name, class and own options of a loss or miner."""
    options = [
        f"`{option.name}: {json.dumps(option.default) if not isinstance(option.default, str) else option.default}`"
        for option in inspect.signature(kind).parameters.values()
        if option.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    ours = kind.__module__.startswith("sketchseek")
    return [f"`{name}`", kind.__name__ + ("" if ours else " of pytorch-metric-learning"), ", ".join(options)]
