"""A ablation's report as one HTML file that needs nothing else: tables, plots, and pictures of what each configuration finds."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from sketchseek.ablations.plots import plot_courses, plot_grid, plot_spread
from sketchseek.ablations.stored import (
    FIGURES,
    Run,
    StoredAblation,
    sentence,
    shown_choice,
    shown_difference,
)
from sketchseek.datasets.image_folders import load_pairs
from sketchseek.datasets.qmul import load_qmul
from sketchseek.datasets.records import SketchDataset
from sketchseek.datasets.sketchy import load_sketchy
from sketchseek.evaluation.html_report import image_tag
from sketchseek.images import read_photo
from sketchseek.sketches import rasterize_sketch

_SIDE = 72
_SHOWN = 4  # configurations with pictures

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2024; background: #fff; margin: 2rem auto; max-width: 66rem;
  padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem }
p { margin: .25rem 0; color: #545b63; max-width: 48rem } figure { margin: .75rem 0; overflow-x: auto }
figure svg { max-width: 100%; height: auto }
.wide { overflow-x: auto } summary { cursor: pointer; margin: .5rem 0 }
table { border-collapse: collapse; margin-top: .75rem } td, th { padding: .25rem 1rem .25rem 0; text-align: right;
  border-bottom: 1px solid #e4e7ea; font-configuration-numeric: tabular-nums; white-space: nowrap }
th { font-weight: 600; color: #545b63 } :is(td, th).text { text-align: left; white-space: normal }
tr.best td { font-weight: 600 } .supported { color: #0d6b40; font-weight: 600 }
.refuted { color: #a3301c; font-weight: 600 } .undecided { color: #7a5b00; font-weight: 600 }
.query { display: grid; grid-template-columns: 6.5rem 1fr; gap: 1rem; padding: .9rem 0;
  border-bottom: 1px solid #e4e7ea; align-items: start }
.query img { display: block; border: 1px solid #e4e7ea; border-radius: 3px; box-sizing: border-box }
.query > div > img { width: 6.5rem; border-color: #8b939c } .query span { font-size: .8rem; color: #545b63 }
.found { display: grid; grid-template-columns: minmax(6rem, 13rem) repeat(6, 3.6rem); gap: .3rem; align-items: center;
  margin-bottom: .3rem } .found img { width: 3.6rem } .found .right img { outline: 3px solid #15935a }
"""


def write_compared_page(path: Path, ablation: StoredAblation, data: Path | None = None) -> None:
    """Write a ablation's report.

    Args:
        path: The HTML file; its folder is made.
        ablation: What to report.
        data: What the protocol's path starts from, for pictures of what was found; None for none.

    Raises:
        DatasetError: The protocol's data set is missing or broken.
        MissingExtraError: matplotlib is not installed.
    """
    settings = ablation.settings
    title = settings["title"] or settings["name"]
    sections = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(settings['text'].strip())}</p>" if settings["text"] else "",
        f"<p>{escape(sentence(ablation).replace('**', ''))}</p>",
        _claims(ablation),
        "<h2>Figures</h2>",
        _figures(ablation),
        plot_spread(ablation) if ablation.final else "",
        plot_grid(ablation),
        "<h2>In the course of training</h2>" + plot_courses(ablation) if ablation.final else "",
        _tuning(ablation),
        _pictures(ablation, data) if data is not None and ablation.tested else "",
    ]
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
{chr(10).join(section for section in sections if section)}
</body></html>
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _claims(ablation: StoredAblation) -> str:
    kinds = {"supported": "supported", "not supported": "refuted", "undecided": "undecided"}
    rows = [
        f'<tr><td class="text">{escape(v.hypothesis)}</td><td>{escape(shown_difference(v))}</td>'
        f'<td class="text {kinds[v.word]}">{v.word}</td></tr>'
        for v in ablation.verdicts()
    ]
    if not rows:
        return ""
    head = '<tr><th class="text">hypothesis</th><th>difference in points (95 % interval)</th><th class="text">verdict</th></tr>'
    note = "<p>The interval is a bootstrap over seeds and photos: the whole of it must be above 0 to support a hypothesis.</p>"
    return f'<h2>Hypotheses</h2><div class="wide"><table>{head}{"".join(rows)}</table></div>{note}'


def _figures(ablation: StoredAblation) -> str:
    columns = ablation.columns
    means = {
        v: spread.mean for v in ablation.configurations if (spread := ablation.spread(v, "recall@1", columns[0][0]))
    }
    best = max(means, key=lambda configuration: means[configuration]) if means else ""
    rows = []
    for configuration in ablation.configurations:
        runs = ablation.final.get(configuration, [])
        cells = "".join(f"<td>{ablation.spread(configuration, name, part) or '–'}</td>" for part, name in columns)
        chosen = f'<td class="text">{escape(shown_choice(runs[0])) if runs else ""}</td>' if ablation.tuning else ""
        rows.append(
            f'<tr class="{"best" if configuration == best else ""}"><td class="text">{escape(configuration)}</td>'
            f"{chosen}<td>{len(runs)}</td>{cells}</tr>"
        )
    head = "".join(f"<th>{part}<br>{name}</th>" for part, name in columns)
    chosen = '<th class="text">chosen</th>' if ablation.tuning else ""
    top = f'<tr><th class="text">configuration</th>{chosen}<th>runs</th>{head}</tr>'
    return f'<div class="wide"><table>{top}{"".join(rows)}</table></div>'


def _tuning(ablation: StoredAblation) -> str:
    if not ablation.tuning:
        return ""
    rows = []
    for configuration in ablation.configurations:
        runs = sorted(ablation.tuning.get(configuration, []), key=lambda run: -run.get("score", -1.0))
        for place, run in enumerate(runs):
            found = run.get("validation", {})
            cells = "".join(f"<td>{100 * found[name]:.1f}</td>" if name in found else "<td>–</td>" for name in FIGURES)
            name = escape(configuration) if place == 0 else ""
            tried = escape(shown_choice(run) + (f" ({run['failed']})" if "failed" in run else ""))
            rows.append(
                f'<tr class="{"best" if place == 0 else ""}"><td class="text">{name}</td>'
                f'<td class="text">{tried}</td>{cells}</tr>'
            )
    head = '<tr><th class="text">configuration</th><th class="text">tried, best first</th>'
    head += "".join(f"<th>validation<br>{name}</th>" for name in FIGURES) + "</tr>"
    note = "<p>Chosen by recall@1 + recall@10 on the validation part. The test part had no say.</p>"
    tried = f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'
    return f"<h2>Tuning</h2>{note}<details><summary>All that was tried</summary>{tried}</details>"


def _pictures(ablation: StoredAblation, data: Path) -> str:
    """For each example query, what the first run of the first configuration and of the best others found."""
    firsts: dict[str, Run] = {
        v: runs[0] for v in ablation.configurations if (runs := ablation.final.get(v)) and "test" in runs[0]
    }
    means = {v: spread.mean for v in firsts if (spread := ablation.spread(v, "recall@1"))}
    best = sorted(list(firsts)[1:], key=lambda configuration: -means[configuration])[: _SHOWN - 1]
    firsts = {v: run for v, run in firsts.items() if v in [next(iter(firsts)), *best]}
    protocol = ablation.settings["test"]
    whole = _load(protocol["protocol"], data / protocol["path"])
    sketches = {sketch.key: sketch for sketch in whole.sketches}
    images: dict[str, str] = {}
    blocks = []
    for number, example in enumerate(next(iter(firsts.values()))["test"]["examples"]):
        sketch = sketches[example["drawing"]]
        lines = []
        for configuration, run in firsts.items():
            found = run["test"]["examples"][number]
            cells = "".join(_cell(key, sketch.photo, whole, images) for key in found["photos"])
            label = f"{escape(configuration)}<br>rank {found['rank']:,}"
            lines.append(f'<div class="found"><span>{label}</span>{cells}</div>')
        picture = image_tag(rasterize_sketch(sketch.source, 2 * _SIDE), "PNG")
        name = escape(sketch.category or sketch.key)
        blocks.append(f'<div class="query"><div>{picture}<span>{name}</span></div><div>{"".join(lines)}</div></div>')
    note = "<p>Test sketches drawn at random, and the first photos that each configuration's first run finds; the drawn photo "
    return f"<h2>What is found</h2>{note}is framed in green.</p>{''.join(blocks)}"


def _load(protocol: str, root: Path) -> SketchDataset:
    if protocol == "sketchy":
        return load_sketchy(root, allow_missing=True)
    if protocol == "pairs":
        return load_pairs(root, allow_missing=True)
    return load_qmul(root, "shoev2" if protocol == "shoev2" else "chairv2", allow_missing=True)[0]


def _cell(key: str, own: str | None, whole: SketchDataset, images: dict[str, str]) -> str:
    photos: Mapping[str, object] = whole.photo_by_key
    if key not in images and key in photos:
        images[key] = image_tag(read_photo(whole.photo_by_key[key].path, _SIDE), "JPEG")
    return f'<div class="{"right" if key == own else "other"}" title="{escape(key)}">{images.get(key, "")}</div>'
