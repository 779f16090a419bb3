"""Bars and lines on stderr that show how far a training is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from sketchseek.training.loop import Events


class TrainingBars:
    """One bar a stage; a new training takes the bars anew."""

    def __init__(self, bars: Any, console: Console) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self.console = console

    def show(self, what: str, done: int, total: int) -> None:
        """Set a stage's bar; a stage that starts again, starts its bar again."""
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)

    def events(self, steps: int) -> Events:
        """What the training loop calls."""
        from sketchseek.training.loop import Events

        return Events(
            reading=self.show, step=lambda number, loss: self.show("training", number, steps), evaluated=self.row
        )

    def row(self, values: dict[str, float]) -> None:
        """Print an evaluation's metrics."""
        self.console.print("  ".join(f"{name} {value:.4g}" for name, value in values.items()))


@contextmanager
def training_bars() -> Iterator[TrainingBars]:
    """Bars while the block runs; stdout stays clean for the result."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        yield TrainingBars(bars, console)


def need_torch() -> None:
    """Raise MissingExtraError where torch is not installed."""
    from importlib.util import find_spec

    from sketchseek.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("training needs torch.", remedy="Install it: pip install 'sketchseek[train]'")
