"""Hooks of mkdocs: links from docs/ to files outside it, which the site does not have, become the path of the file."""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page's text; only pages at the top of docs/ link out of it with ``../``."""
    return markdown if "/" in page.file.src_uri else OUTSIDE.sub(r"\1 (`\2`)", markdown)
