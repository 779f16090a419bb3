"""Progress bars on standard error. Standard output stays clean for results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from sketchseek.progress import Progress
    from sketchseek.search.results import IndexProgress
    from sketchseek.training.loop import Events


@contextmanager
def stage_bars(verb: str = "") -> Iterator[Progress]:
    """Show one bar for each stage; yields the callback that moves them."""
    with _bars(transient=True) as (bars, _):
        yield _StageBars(bars, lambda stage: f"{verb} {stage}".strip().capitalize()).show


@contextmanager
def download_bar(*, quiet: bool) -> Iterator[Progress]:
    """Show one bar that counts bytes; yields the callback that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bars:
        yield _StageBars(bars, str.capitalize).show


@contextmanager
def index_bar(as_json: bool) -> Iterator[Callable[[IndexProgress], None] | None]:
    """Show the bar of an indexing run; yields its callback, or None if standard error is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    words = {
        "scan": "Scanning",
        "embed": "Indexing",
        "describe": "Reading words",
        "regions": "Indexing regions",
        "frames": "Indexing frames",
        "index": "Writing the index",
    }
    with _bars(transient=as_json) as (bars, _):
        stages = _StageBars(bars, lambda stage: words[stage])

        def show(now: IndexProgress) -> None:
            stages.show(now.stage, now.done, now.total)
            if now.failed:
                stages.describe(now.stage, f"{words[now.stage]}, {now.failed:,} failed")

        yield show


@contextmanager
def training_bars() -> Iterator[TrainingBars]:
    """Show one bar for each stage of a training, and its evaluations as lines."""
    with _bars(transient=False) as (bars, console):
        yield TrainingBars(bars, console)


class _StageBars:
    """One bar for each stage. A stage that starts again restarts its bar."""

    def __init__(self, bars: Any, describe: Callable[[str], str] = str) -> None:
        self._bars = bars
        self._describe = describe
        self._tasks: dict[str, Any] = {}

    def show(self, stage: str, done: int, total: int) -> None:
        """Move a stage's bar; a total of 0 is unknown."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(self._describe(stage), total=total or None)
        self._bars.update(self._tasks[stage], completed=done, total=total or None)

    def describe(self, stage: str, text: str) -> None:
        """Change the text of a stage's bar."""
        self._bars.update(self._tasks[stage], description=text)


class TrainingBars(_StageBars):
    """The bars of a training."""

    def __init__(self, bars: Any, console: Console) -> None:
        super().__init__(bars)
        self.console = console

    def events(self, steps: int) -> Events:
        """The callbacks of a training of so many steps."""
        from sketchseek.training.loop import Events

        return Events(
            progress=self.show, step=lambda number, loss: self.show("training", number, steps), evaluated=self.row
        )

    def row(self, values: dict[str, float]) -> None:
        """Print an evaluation's metrics."""
        self.console.print("  ".join(f"{name} {value:.4g}" for name, value in values.items()))


@contextmanager
def _bars(*, transient: bool) -> Iterator[tuple[Any, Console]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    remaining = TimeRemainingColumn(elapsed_when_finished=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), remaining)
    with Bars(*columns, console=console, transient=transient) as bars:
        yield bars, console
