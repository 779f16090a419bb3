"""The HTML report of an audit: findings with their pictures, confused categories, false negatives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sketchseek.audit.checks import Threshold
from sketchseek.audit.findings import KINDS, PAIRS, Finding, varied
from sketchseek.audit.ink import sheet
from sketchseek.audit.run import Audit, shown
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.errors import InputError
from sketchseek.evaluation.html import data_uri, write_report
from sketchseek.images import read_photo

SHOWN = 24
"""Maximum number of findings of a kind in the report; ``findings.json`` has all."""

ROWS = 20
"""Maximum number of rows of the tables of confusions and of false negatives."""

_NEAR = ("near_duplicate", "cross_split_duplicate")
_SIDE = 112
_NEAREST = 3
_MATRIX_SIDE = 700


def write_page(path: Path, audit: Audit, lists: Mapping[str, Path]) -> None:
    """Write the report.

    Args:
        path: The HTML file; its folder is created.
        audit: The findings.
        lists: The files that ``write_lists`` wrote.
    """
    subset = audit.subset
    warning, *remarks = reversed(audit.remarks)
    affected = [entry for entry in audit.negatives if entry.duplicate_pairs]
    write_report(
        path,
        "audit.html",
        title=f"Audit of {subset.kind}, {'all data' if subset.name == 'all' else f'{subset.name} split'}",
        audit=audit,
        subset=subset,
        own_first=None if np.isnan(audit.own_first) else audit.own_first,
        warning=warning,
        remarks=remarks,
        sections=[_section(audit, kind, lists) for kind in audit.findings],
        confusions=_confusions(audit),
        negatives={"rows": affected[:ROWS], "affected": len(affected), "categories": len(audit.negatives)},
    )


def _section(audit: Audit, kind: str, lists: Mapping[str, Path]) -> dict[str, Any]:
    found, info = audit.findings[kind], KINDS[kind]
    dataset = audit.subset.dataset
    audited = len(dataset.sketches if info.about == "sketch" else dataset.photos)
    photos, sketches = shown(audit)
    return {
        "kind": kind,
        "title": info.title,
        "meaning": info.meaning,
        "pairs": kind in PAIRS,
        "found": len(found),
        "fraction": "pairs"
        if kind in PAIRS
        else f"{100 * len(found) / audited:.2f} % of the {'sketches' if info.about == 'sketch' else 'photos'}",
        "threshold": _threshold(audit.thresholds.get("near_duplicate" if kind in _NEAR else kind)),
        "list": lists[info.official or ("near-duplicates" if kind in PAIRS else kind)].name,
        "cards": [_card(finding, photos, sketches) for finding in varied(found, SHOWN)],
    }


def _threshold(threshold: Threshold | None) -> str:
    if threshold is None or threshold.value is None:
        return ""
    if threshold.quantile is None:
        return f"{threshold.value:g}"
    return f"{threshold.value:.3f}, from the {100 * threshold.quantile:g} % quantile of {threshold.of:,}"


def _card(finding: Finding, photos: Mapping[str, Photo], sketches: Mapping[str, Sketch]) -> dict[str, Any]:
    about_sketch = finding.key in sketches and KINDS[finding.kind].about == "sketch"
    facts = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in finding.facts.items()
        if not isinstance(value, bool) and (name, value) != ("duplicates", "near")
    ]
    return {
        "key": finding.key,
        "facts": " · ".join(facts),
        "pictures": (_sketch_pictures if about_sketch else _photo_pictures)(finding, photos, sketches),
    }


def _sketch_pictures(
    finding: Finding, photos: Mapping[str, Photo], sketches: Mapping[str, Sketch]
) -> list[dict[str, Any]]:
    """A sketch, its photo, and the photos that are nearest to it; for an outlier, some of its peers."""
    sketch = sketches[finding.key]
    pictures = [_picture(_sketch_image(sketch), "sketch")]
    if sketch.photo is not None and sketch.photo in photos:
        pictures.append(_picture(_photo_image(photos[sketch.photo]), "its photo", own=True))
    if finding.kind == "outlier":
        peers = [
            other
            for other in sketches.values()
            if (other.photo, other.category) == (sketch.photo, sketch.category) and other.key != sketch.key
        ]
        caption = "same category" if sketch.photo is None else "same photo"
        pictures += [_picture(_sketch_image(peer), caption) for peer in peers[:_NEAREST]]
    elif finding.kind not in ("blank", "cropped"):
        nearest = [photos[key] for key in finding.others[:_NEAREST]]
        pictures += [_picture(_photo_image(photo), _caption(photo, finding)) for photo in nearest]
    return pictures


def _photo_pictures(
    finding: Finding, photos: Mapping[str, Photo], sketches: Mapping[str, Sketch]
) -> list[dict[str, Any]]:
    """A photo, and the photos or sketches that the finding names."""
    pictures = [_picture(_photo_image(photos[finding.key]), finding.category or finding.key, own=True)]
    for key in finding.others:
        if key in photos:
            pictures.append(_picture(_photo_image(photos[key]), key))
        elif key in sketches:
            pictures.append(_picture(_sketch_image(sketches[key]), ""))
    return pictures


def _caption(photo: Photo, finding: Finding) -> str:
    """The photo's category, or its name if the category is the sketch's own."""
    return photo.key.removeprefix(f"{photo.category}/") if photo.category == finding.category else photo.category


def _confusions(audit: Audit) -> dict[str, Any] | None:
    rows = audit.confusions[:ROWS]
    if not rows:
        return None
    shares = audit.matrix / np.maximum(audit.matrix.sum(axis=1, keepdims=True), 1)
    side = len(shares) * max(1, _MATRIX_SIDE // len(shares))
    gray = Image.fromarray((255 * (1 - np.sqrt(shares))).astype(np.uint8))
    return {
        "rows": rows,
        "categories": len(shares),
        "correct": float(np.trace(audit.matrix) / max(1, audit.matrix.sum())),
        "matrix": data_uri(np.asarray(gray.resize((side, side), Image.Resampling.NEAREST)), "PNG"),
    }


def _picture(image: str, caption: str, *, own: bool = False) -> dict[str, Any]:
    return {"image": image, "caption": caption, "own": own}


def _photo_image(photo: Photo) -> str:
    try:
        return data_uri(read_photo(photo.path, _SIDE), "JPEG")
    except InputError:
        return data_uri(np.full((_SIDE, _SIDE, 3), 128, dtype=np.uint8), "JPEG")


def _sketch_image(sketch: Sketch) -> str:
    return data_uri(np.asarray(sheet(sketch, _SIDE)), "PNG")
