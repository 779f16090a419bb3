"""Hooks of mkdocs: links from docs/ to files outside it, which the site does not have, become the path of the file.

A link to a file that does not exist is logged as a warning, which fails a strict build.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)\)")
_log = logging.getLogger("mkdocs.hooks.site_hooks")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page's text with links out of docs/ as file names."""
    folder = (REPOSITORY / "docs" / page.file.src_uri).parent

    def replace(found: re.Match[str]) -> str:
        target = (folder / found[2]).resolve()
        if target.is_relative_to(REPOSITORY / "docs"):
            return found[0]
        if not target.exists():
            _log.warning("Page %s links to %s, which does not exist.", page.file.src_uri, found[2])
        return f"{found[1]} (`{target.relative_to(REPOSITORY)}`)"

    return OUTSIDE.sub(replace, markdown)
