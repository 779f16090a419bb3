"""The report: one HTML file with pictures that needs nothing else, light or dark as the reader's system is."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from sketchseek.audit.findings import KINDS, PAIRS, Finding, varied
from sketchseek.audit.ink import sheet
from sketchseek.audit.run import Audit, shown
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.errors import InputError
from sketchseek.images import read_photo

SHOWN = 24
"""How many findings of a kind are shown; all are in ``findings.json``."""

ROWS = 20
"""How many confusions and categories are in the tables."""

_SIDE = 112
_NEAREST = 3
_SKETCHES = 9

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5a626a; --line: #dfe3e7; --page: #fff; --card: #f6f7f8;
  --warn: #8a4b00; --warn-ground: #fff4e2; --own: #15935a; --link: #0b5cad }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a2aab3; --line: #33393f; --page: #15181b;
  --card: #1e2226; --warn: #ffc46b; --warn-ground: #33270f; --own: #4cc98c; --link: #79b8ff } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 78rem; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1.2rem; margin: 2.75rem 0 .25rem; scroll-margin-top: 1rem }
p { margin: .35rem 0; max-width: 60rem } p.soft, td.soft, figcaption { color: var(--soft) }
a { color: var(--link) }
.warn { background: var(--warn-ground); color: var(--warn); padding: .6rem .9rem; border-radius: 8px; font-weight: 600 }
table { border-collapse: collapse; margin: .75rem 0 } td, th { padding: .25rem 1.25rem .25rem 0; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top } td.number, th.number { text-align: right;
  font-configuration-numeric: tabular-nums } th { font-weight: 600 }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22.5rem, 100%), 1fr)); gap: .75rem;
  margin-top: .75rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem }
.card .why { font-size: .82rem; margin: 0 0 .45rem; overflow-wrap: anywhere } .card .why b { font-weight: 600 }
.pictures { display: grid; grid-template-columns: repeat(5, 1fr); gap: .4rem } figure { margin: 0; min-width: 0 }
.pairs { grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)) }
.pairs .pictures { grid-template-columns: 1fr 1fr }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; border-radius: 4px; background: #fff;
  border: 1px solid var(--line) } figure.own img { border: 2px solid var(--own) }
figcaption { font-size: .68rem; line-height: 1.25; overflow-wrap: anywhere; margin-top: .15rem }
.matrix { overflow-x: auto } .matrix img { width: min(100%, 44rem); image-rendering: pixelated; border: 1px solid
  var(--line) }
@media (prefers-color-scheme: dark) { .matrix img { filter: invert(.9) } }
"""


def write_page(path: Path, audit: Audit, lists: Mapping[str, Path]) -> None:
    """Write the report.

    Args:
        path: The HTML file; its folder is made.
        audit: What was found.
        lists: The files that ``write_lists`` wrote.
    """
    part = audit.part
    title = f"Audit of {part.kind}, {'the whole set' if part.name == 'all' else f'{part.name} part'}"
    warn, *remarks = reversed(audit.remarks)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='soft'>{len(part.dataset.sketches):,} sketches, {len(part.dataset.photos):,} photos, split "
        f"{escape(part.split)} (SHA-256 {part.split_sha256[:16]}); model {escape(audit.model)} "
        f"({escape(audit.fingerprint[:12])}).{_own_first(audit)}</p>",
        *(f"<p class='soft'>{escape(remark)}</p>" for remark in remarks),
        f"<p class='warn'>{escape(warn)}</p>",
        _summary(audit, lists),
        *(_section(audit, kind) for kind in audit.findings),
        _confusions(audit),
        _negatives(audit),
        _problems(audit),
    ]
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _own_first(audit: Audit) -> str:
    if np.isnan(audit.own_first):
        return ""
    return f" {100 * audit.own_first:.1f} % of the sketches find their own photo first."


def _summary(audit: Audit, lists: Mapping[str, Path]) -> str:
    rows = []
    for kind, found in audit.findings.items():
        info = KINDS[kind]
        of = len(audit.part.dataset.sketches if info.about == "sketch" else audit.part.dataset.photos)
        name = info.official or ("near-duplicates" if kind in PAIRS else kind)
        share = "pairs" if kind in PAIRS else f"{100 * len(found) / of:.2f} % of {info.about}s"
        rows.append(
            f"<tr><td><a href='#{kind}'>{escape(info.title)}</a></td><td class='number'>{len(found):,}</td>"
            f"<td>{share}</td><td class='soft'>{escape(lists[name].name)}</td></tr>"
        )
    more = {"confusions": "Which category is taken for which", "negatives": "Negatives that are positives"}
    links = " · ".join(
        f"<a href='#{anchor}'>{text}</a>" for anchor, text in more.items() if anchor != "confusions" or audit.confusions
    )
    return (
        "<table><tr><th>Finding</th><th class='number'>how many</th><th>of what</th><th>list</th>"
        f"</tr>{''.join(rows)}</table><p>{links}</p>"
    )


def _section(audit: Audit, kind: str) -> str:
    found, info = audit.findings[kind], KINDS[kind]
    photos, sketches = shown(audit)
    chosen = varied(found, SHOWN)
    cards = "".join(_card(finding, photos, sketches) for finding in chosen)
    more = f" {len(chosen)} of {len(found):,} are shown, the surest of each category first." if found else " None."
    return (
        f"<h2 id='{kind}'>{escape(info.title)}</h2><p class='soft'>{escape(info.meaning)}{more}</p>"
        f"<div class='cards{' pairs' if kind in PAIRS else ''}'>{cards}</div>"
    )


def _card(finding: Finding, photos: Mapping[str, Photo], sketches: Mapping[str, Sketch]) -> str:
    pictures = []
    if finding.key in sketches and KINDS[finding.kind].about == "sketch":
        sketch = sketches[finding.key]
        pictures.append(_figure(_sketch(sketch), "sketch"))
        if sketch.photo is not None and sketch.photo in photos:
            pictures.append(_figure(_photo(photos[sketch.photo]), "its photo", own=True))
        if finding.kind not in ("blank", "cropped"):
            pictures += [
                _figure(_photo(photos[key]), _shows(photos[key], finding)) for key in finding.others[:_NEAREST]
            ]
    else:
        pictures.append(_figure(_photo(photos[finding.key]), finding.category or finding.key, own=True))
        for key in finding.others[:_SKETCHES]:
            if key in photos:
                pictures.append(_figure(_photo(photos[key]), key))
            elif key in sketches:
                pictures.append(_figure(_sketch(sketches[key]), ""))
    facts = " · ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in finding.facts.items()
        if not isinstance(value, bool) and (name, value) != ("duplicates", "near")
    )
    return (
        f"<div class='card'><p class='why'><b>{escape(finding.key)}</b><br>{escape(facts)}</p>"
        f"<div class='pictures'>{''.join(pictures)}</div></div>"
    )


def _shows(photo: Photo, finding: Finding) -> str:
    """What is said under a photo that was found: its category, or its name where that is the sketch's own."""
    return photo.key.removeprefix(f"{photo.category}/") if photo.category == finding.category else photo.category


def _confusions(audit: Audit) -> str:
    top = audit.confusions[:ROWS]
    if not top:
        return ""
    totals = np.maximum(audit.matrix.sum(axis=1, keepdims=True), 1)
    shares = audit.matrix / totals
    rows = "".join(
        f"<tr><td>{escape(c.category)}</td><td>{escape(c.taken_for)}</td><td class='number'>{c.sketches:,}</td>"
        f"<td class='number'>{100 * c.share:.0f} %</td></tr>"
        for c in top
    )
    gray = Image.fromarray((255 * (1 - np.sqrt(shares))).astype(np.uint8))
    scale = max(1, 700 // len(shares))
    large = np.asarray(gray.resize((len(shares) * scale, len(shares) * scale), Image.Resampling.NEAREST))
    right = float(np.trace(audit.matrix) / max(1, audit.matrix.sum()))
    return (
        "<h2 id='confusions'>Which category is taken for which</h2><p class='soft'>For each sketch, the category of "
        f"the nearest photo that is not its own: the sketch's own category for {100 * right:.1f} % of the sketches. "
        f"The {len(top)} largest shares:</p><table><tr><th>drawn</th><th>taken for</th><th class='number'>sketches</th>"
        f"<th class='number'>of its sketches</th></tr>{rows}</table><p class='soft'>All {len(shares)} categories in "
        "alphabetical order; a row is what is drawn, a column what is found, stronger for a larger share.</p>"
        f"<div class='matrix'>{_image(large, 'PNG')}</div>"
    )


def _negatives(audit: Audit) -> str:
    top = [entry for entry in audit.negatives if entry.duplicate_pairs][:ROWS]
    rows = "".join(
        f"<tr><td>{escape(e.category or 'all')}</td><td class='number'>{e.photos:,}</td>"
        f"<td class='number'>{e.duplicate_pairs:,}</td><td class='number'>{100 * e.in_category:.1f} %</td>"
        f"<td class='number'>{100 * e.in_gallery:.3f} %</td></tr>"
        for e in top
    )
    count = sum(1 for entry in audit.negatives if entry.duplicate_pairs)
    return (
        "<h2 id='negatives'>Negatives that are positives</h2><p class='soft'>Share of a photo's negatives that are its "
        "duplicates: among the other photos of its category, as in a batch of one category, and among all photos. "
        f"{count} of {len(audit.negatives)} categories have any.</p>"
        "<table><tr><th>category</th><th class='number'>photos</th><th class='number'>duplicate pairs</th>"
        "<th class='number'>of its category</th><th class='number'>of the gallery</th></tr>"
        f"{rows}</table>"
    )


def _problems(audit: Audit) -> str:
    if not audit.problems:
        return ""
    rows = "".join(f"<tr><td>{escape(p.key)}</td><td>{escape(p.reason)}</td></tr>" for p in audit.problems)
    return f"<h2 id='problems'>What could not be read</h2><table>{rows}</table>"


def _figure(image: str, caption: str, *, own: bool = False) -> str:
    return f"<figure{' class=own' if own else ''}>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _photo(photo: Photo) -> str:
    try:
        return _image(read_photo(photo.path, _SIDE), "JPEG")
    except InputError:
        return _image(np.full((_SIDE, _SIDE, 3), 128, dtype=np.uint8), "JPEG")


def _sketch(sketch: Sketch) -> str:
    return _image(np.asarray(sheet(sketch, _SIDE)), "PNG")


def _image(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"quality": 75} if kind == "JPEG" else {"optimize": True}))
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="" loading="lazy" src="data:image/{kind.lower()};base64,{data}">'
