"""Results as HTML, for notebooks."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sketchseek.errors import ImageError
from sketchseek.images import open_image

if TYPE_CHECKING:
    from sketchseek.search.results import SearchResult

SIDE = 160
"""Longest side of a thumbnail, in pixels."""

SHOWN = 24
"""Maximum number of results with a picture."""


def result_html(result: SearchResult) -> str:
    """Return a result as a figure: a small copy of the photo inside the page, its rank, name and score."""
    name = html.escape(result.path.name.encode("utf-8", "replace").decode())
    path = html.escape(str(result.path).encode("utf-8", "replace").decode())
    return (
        f'<figure style="display:inline-block;margin:4px;max-width:{SIDE}px;vertical-align:top" title="{path}">'
        f'{_picture(result)}<figcaption style="font-size:small;overflow-wrap:anywhere">'
        f"{result.rank}. {name} <small>({result.score:.3f})</small></figcaption></figure>"
    )


def results_html(results: Sequence[SearchResult], *, limit: int = SHOWN) -> str:
    """Return results as figures, best first; beyond ``limit``, only their number."""
    figures = "".join(result_html(result) for result in results[:limit])
    more = len(results) - limit
    return f"<div>{figures or 'No results.'}</div>" + (f"<p>… and {more:,} more</p>" if more > 0 else "")


def _picture(result: SearchResult) -> str:
    try:
        image = open_image(result.path, at_least=SIDE)
    except ImageError as error:
        return f"<p><em>{html.escape(error.reason)}</em></p>"
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'
