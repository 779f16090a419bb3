"""Progress bars on standard error, one per stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stage_bars(verb: str = "") -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that takes a stage, the number of items done and their total."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(f"{verb} {stage}".strip().capitalize(), total=total)
            bars.update(tasks[stage], completed=done)

        yield show
