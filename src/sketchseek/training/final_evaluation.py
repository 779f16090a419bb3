"""The evaluation at the end of a training, by a data set's official protocol, beside published results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sketchseek.evaluation.intervals import Interval
from sketchseek.evaluation.protocols import evaluate_dataset
from sketchseek.progress import Progress, ignore_progress
from sketchseek.training.config import EvaluationConfig
from sketchseek.training.run_folder import load_run
from sketchseek.training.trained_encoder import TrainedEncoder


@dataclass(frozen=True)
class FinalEvaluation:
    """Metrics of a run on a test split.

    Attributes:
        split: Name of the split.
        queries, gallery: Number of sketches and of photos.
        metrics, intervals: Values between 0 and 1, and their 95 % intervals.
        published: Values of a paper, in percent.
        source: Where these are from.
    """

    split: str
    queries: int
    gallery: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    published: Mapping[str, float]
    source: str

    def __str__(self) -> str:
        lines = [f"{self.split}: {self.queries:,} sketches, {self.gallery:,} photos"]
        for name, value in self.metrics.items():
            if name.startswith("recall@") or name in self.published:
                low, high = (100 * bound for bound in self.intervals[name])
                beside = f"   published: {self.published[name]:.2f}" if name in self.published else ""
                lines.append(f"{name:<10} {100 * value:6.2f} % ({low:.1f} to {high:.1f}){beside}")
        return "\n".join([*lines, *([f"Published: {self.source}"] if self.published else [])])


def evaluate_run(
    run: Path, config: EvaluationConfig, data: Path, progress: Progress = ignore_progress
) -> FinalEvaluation:
    """Evaluate the best weights of a run. This reads the test split; choose nothing by its result.

    Args:
        run: Folder of the run.
        config: The data set, and published results.
        data: Folder that its path is relative to.
        progress: Called with the stage, the number done and the total.

    Raises:
        ConfigError: There is no such data set, or the run has no weights.
        DatasetError: The data set is missing or broken.
    """
    model, settings, _ = load_run(run)
    encoder = TrainedEncoder(model, settings.distance)
    report = evaluate_dataset(
        config.kind, data / config.path, encoder, variant=config.variant, progress=progress
    ).report
    return FinalEvaluation(
        report.split,
        report.queries,
        report.gallery,
        report.metrics,
        report.intervals,
        config.published,
        config.source,
    )
