"""HTML reports: Jinja2 templates with one style sheet; a report is one file that loads nothing else."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

_QUALITY = 80


def write_report(path: Path, template: str, **values: Any) -> None:
    """Render a template of ``evaluation/templates`` into an HTML file.

    Args:
        path: The file; its folder is created.
        template: Name of the template. Values are escaped unless they are ``Markup``.
        values: Variables of the template.
    """
    text = _environment().get_template(template).render(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def data_uri(pixels: npt.NDArray[np.uint8], image_format: str) -> str:
    """An image as a ``data:`` URI.

    Args:
        pixels: (height, width) or (height, width, 3).
        image_format: ``PNG`` or ``JPEG``.
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format, **({"quality": _QUALITY} if image_format == "JPEG" else {}))
    return f"data:image/{image_format.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sketchseek.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    return environment
