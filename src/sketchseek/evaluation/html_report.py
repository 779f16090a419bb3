"""A page with pictures of what was found: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from sketchseek.evaluation.metrics import nearest
from sketchseek.evaluation.protocols import Evaluation
from sketchseek.evaluation.report import Report
from sketchseek.images import read_photo
from sketchseek.sketches import rasterize_sketch

FIRST = 8
QUERIES = 40
_SIDE = 112

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2024; background: #fff; margin: 2rem auto; max-width: 66rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0; color: #545b63 }
table.metrics { border-collapse: collapse; margin-top: 1rem } table.metrics td, table.metrics th {
  padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #e4e7ea; text-align: right;
  font-configuration-numeric: tabular-nums } table.metrics :is(td, th):first-child { text-align: left }
.row { display: grid; grid-template-columns: 7.5rem repeat(8, 1fr); gap: .4rem; align-items: start; padding: .5rem 0;
  border-bottom: 1px solid #e4e7ea }
.row img { width: 100%; display: block; border-radius: 4px; box-sizing: border-box }
.row img { border: 1px solid #e4e7ea } .row .query img { border-color: #8b939c }
.row .right img { outline: 4px solid #15935a; outline-offset: -1px }
.row .query { padding-right: .6rem } .row span { font-size: .75rem; color: #545b63; overflow-wrap: anywhere }
.row .right span { color: #0d6b40; font-weight: 600 }
@media (max-width: 44rem) { .row { grid-template-columns: 6rem repeat(4, 1fr) } .row .query { grid-row: span 2 } }
"""


def write_page(path: Path, evaluation: Evaluation, *, queries: int = QUERIES, seed: int = 0) -> None:
    """Write a page with the metrics and a random sample of queries, each with the first eight photos.

    Args:
        path: The HTML file; its folder is made.
        evaluation: What to show.
        queries: How many sketches are shown at most.
        seed: Another seed shows others.
    """
    read = evaluation.drawn.read
    sample = np.sort(np.random.default_rng(seed).choice(len(read), size=min(queries, len(read)), replace=False))
    top = (
        nearest(evaluation.drawn.vectors[sample], evaluation.shelved.vectors, FIRST, distance=evaluation.distance)
        if len(sample)
        else np.zeros((0, 0), dtype=np.int64)
    )
    rows = [_row(evaluation, int(read[i]), line) for i, line in zip(sample, top, strict=True)]
    report = evaluation.report
    title = f"{report.protocol} – {report.model}"
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{report.queries:,} sketches asked, {report.gallery:,} photos searched.</p>
{"".join(f"<p>{escape(note)}</p>" for note in report.notes())}
{_figures(report)}
<h2>{len(rows)} sketches, drawn at random, and the first {top.shape[1]} photos that each finds</h2>
<p>Right ones are framed in green. The number is the rank of the first right photo.</p>
{"".join(rows)}
</body></html>
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _figures(report: Report) -> str:
    lines = [
        f"<tr><td>{escape(name)}</td><td>{value}</td><td>{interval}</td></tr>"
        for name, value, interval in report.rows()
    ]
    return f'<table class="metrics"><tr><th></th><th>value</th><th>95 % interval</th></tr>{"".join(lines)}</table>'


def _row(evaluation: Evaluation, query: int, photos: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    sketch = evaluation.sketches[query]
    rank = evaluation.scores.rank[query]
    place = f"rank {int(rank):,}" if np.isfinite(rank) else "not in the gallery"
    drawn = image_tag(rasterize_sketch(sketch.source, 2 * _SIDE), "PNG")
    cells = [
        f'<div class="query" title="{escape(sketch.key)}">{drawn}'
        f"<span>{escape(sketch.category or sketch.key)}<br>{place}</span></div>"
    ]
    for i in photos:
        photo = evaluation.photos[i]
        right = evaluation.photo_labels[i] == evaluation.labels[query]
        picture = image_tag(read_photo(photo.path, _SIDE), "JPEG")
        label = escape(photo.category or photo.key)
        kind = "right" if right else "other"
        cells.append(f'<div class="{kind}" title="{escape(photo.key)}">{picture}<span>{label}</span></div>')
    return f'<div class="row">{"".join(cells)}</div>\n'


def image_tag(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str) -> str:
    """An ``img`` that holds the picture itself; ``kind`` is PNG or JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=80)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="" src="data:image/{kind.lower()};base64,{data}">'
