"""``sketchseek audit``: find quality problems of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import json_option
from sketchseek.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from sketchseek.audit.run import Audit

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType

_FOLDER = click.Path(path_type=Path)


class _DatasetName(_Text):
    """Name of a data set that can be audited. The registry is imported only when a name is checked or listed."""

    name = "dataset"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        from sketchseek.datasets.registry import dataset_specs

        return f"[{'|'.join(spec.name for spec in dataset_specs('audit'))}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from sketchseek.datasets.registry import dataset_specs

        names = [spec.name for spec in dataset_specs("audit")]
        if value not in names:
            self.fail(f"{value!r} is not one of {', '.join(names)}.", param, ctx)
        return str(value)


@click.command("audit")
@click.argument("dataset", type=_DatasetName())
@click.argument("folder", type=_FOLDER)
@click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Name of a bundled model, or path of a model package."
)
@click.option("--out", type=_FOLDER, help="Folder for the report and the lists.  [default: audit-DATASET]")
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Split to audit. The audit of the test split goes to <out>/test-split; nothing of it may be used in training.",
)
@click.option("--variant", default="", help="Variant of the data set, such as tx_000100000000 of Sketchy.")
@click.option("--only", type=_FOLDER, help="Audit only sketches of the photos on this list, such as half-1.txt.")
@json_option
@click.option("--threads", default=0, show_default="all cores", help="Number of threads for the encoders.")
def audit_command(
    dataset: str,
    folder: Path,
    model: str,
    out: Path | None,
    split: str,
    variant: str,
    only: Path | None,
    as_json: bool,
    threads: int,
) -> None:
    """Find quality problems of a data set in FOLDER.

    Finds near-duplicate photos, and mislabeled, mispaired, ambiguous, blank and cropped sketches, and sketches unlike
    the other sketches of their photo. Also counts which category is mistaken for which, and how many negatives are
    false negatives. Thresholds are quantiles of the set's own scores.

    Writes report.html, findings.json and lists that a source of an experiment can name under "exclude". If an audit is
    interrupted, the same command continues it.

    \b
    Example:
      sketchseek audit sketchy ~/data/sketchy --out audit
    """
    from sketchseek.audit.exclusion_lists import write_lists
    from sketchseek.audit.html_report import write_page
    from sketchseek.audit.inputs import load_input
    from sketchseek.audit.run import audit
    from sketchseek.cli.progress import stage_bars
    from sketchseek.encoder import load_encoder

    out = out or Path(f"audit-{dataset}")
    if split == "test":
        out = out / "test-split"
    with stage_bars() as progress:
        chosen = load_input(dataset, folder, split, variant=variant, only=only)  # type: ignore[arg-type]  # click checks it
        found = audit(chosen, load_encoder(model, threads=threads), cache=out / "cache", progress=progress)
        lists = write_lists(out / "lists", found)
        write_page(out / "report.html", found, lists)
    data = found.to_dict() | {"lists": {name: str(file) for name, file in lists.items()}}
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    (out / "findings.json").write_text(text + "\n", encoding="utf-8")
    if as_json:
        click.echo(text)
        return
    _show(found, out)


def _show(found: Audit, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sketchseek.audit.findings import KINDS

    subset = found.subset
    items = f"{len(subset.dataset.sketches):,} sketches, {len(subset.dataset.photos):,} photos"
    title = f"{subset.kind}, {subset.name}: {items}"
    table = Table(title=Text(title))
    table.add_column("finding")
    table.add_column("count", justify="right")
    for kind, findings in found.findings.items():
        table.add_row(KINDS[kind].title, f"{len(findings):,}")
    console = Console()
    console.print(table)
    for remark in found.remarks:
        console.print(remark, markup=False, highlight=False)
    if found.problems:
        console.print(f"Unreadable files: {len(found.problems):,}.", highlight=False)
    console.print(f"Report: {out / 'report.html'}  Lists: {out / 'lists'}", markup=False, highlight=False)
