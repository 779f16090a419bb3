"""``sketchseek audit``: what is wrong with a set of sketches and photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketchseek.models.package import DEFAULT_MODEL

if TYPE_CHECKING:
    from sketchseek.audit.run import Audit

_FOLDER = click.Path(path_type=Path)


@click.command("audit")
@click.argument("kind", type=click.Choice(["sketchy", "chairv2", "shoev2", "pairs", "categories"]))
@click.argument("folder", type=_FOLDER)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model's name or package's path.")
@click.option("--out", type=_FOLDER, help="Folder for the report and the lists.  [default: audit-KIND]")
@click.option(
    "--part",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Which part; the test part's audit is written apart, into <out>/test-part, and must never feed training.",
)
@click.option(
    "--only",
    type=_FOLDER,
    help="Audit only sketches of the photos on this list, such as half-1.txt of an earlier audit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--threads", default=0, show_default="all cores", help="Threads that the encoders may use.")
def audit_command(
    kind: str, folder: Path, model: str, out: Path | None, part: str, only: Path | None, as_json: bool, threads: int
) -> None:
    """Find what is wrong with the data set of this KIND in FOLDER, and show it.

    Near-duplicate photos, sketches of wrong objects, nearer to another photo than to their own, ambiguous, blank or cropped
    ones, photos whose subject is hidden, which category is taken for which, and how many negatives are in truth
    positives. Writes report.html, findings.json and lists that a source of an experiment can name under "exclude".
    Started again, it goes on where it was.

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

    out = out or Path(f"audit-{kind}")
    if part == "test":
        out = out / "test-part"
    with stage_bars() as progress:
        chosen = load_input(kind, folder, part, only=only)  # type: ignore[arg-type]  # click has checked both
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

    part = found.part
    title = f"{part.kind}, {part.name}: {len(part.dataset.sketches):,} sketches, {len(part.dataset.photos):,} photos"
    table = Table(title=Text(title))
    table.add_column("finding")
    table.add_column("how many", justify="right")
    for kind, findings in found.findings.items():
        table.add_row(KINDS[kind].title, f"{len(findings):,}")
    console = Console()
    console.print(table)
    for remark in found.remarks:
        console.print(remark, markup=False, highlight=False)
    if found.problems:
        console.print(f"Files that could not be read: {len(found.problems):,}.", highlight=False)
    console.print(f"Report: {out / 'report.html'}  Lists: {out / 'lists'}", markup=False, highlight=False)
