"""The page in a real browser: the time of the frame that matched, of videos and animated pictures."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import draw, expect_results, results, until
from served import picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def animation(*numbers: int) -> bytes:
    """Return an animation of pictures, 65 seconds each."""
    file = io.BytesIO()
    first, *others = [picture(number) for number in numbers]
    first.save(file, "PNG", save_all=True, append_images=others, duration=65_000)
    return file.getvalue()


def test_captions_have_the_time_of_the_frame(
    new_page: Callable[..., Page], tiny_model: ModelPackage, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(9):
        picture(number).save(folder / f"disc {number:02}.png")
    for number in range(5):  # at least one has a better frame than its first
        (folder / f"film {number}.png").write_bytes(animation(20 + number, 30 + number, 40 + number))
    with (
        Library.open(tmp_path / "library", tiny_model.path, create=True) as library,
        serving(library, thumbnails=tmp_path / "thumbnails") as address,
    ):
        library.add([folder], frames=True)
        page = new_page(address)
        sent: list[Any] = []
        page.on("request", lambda one: sent.append(one.post_data_json) if one.url.endswith("search/sketch") else None)
        draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
        expect_results(page)
        until(page, "document.querySelectorAll('#grid li').length === 14")
        strokes = sent[-1]["strokes"]  # pauses of the pen send unfinished strokes, too
        by_name = {one.path.name: one for one in library.search(strokes, k=20)}
        times = {name: one.time for name, one in by_name.items() if one.time is not None}
        shown = dict(caption.split(" · ") for caption in results(page) if " · " in caption)
        assert shown == {name: f"{int(time) // 60}:{int(time) % 60:02}" for name, time in times.items()}
        assert {"1:05", "2:10"} & set(shown.values())
        name, clock = next(iter(shown.items()))
        page.locator("#grid li", has_text=name).locator(".photo").click()
        until(page, "document.getElementById('viewer-facts').textContent.includes('pixels')")
        assert f" · {clock} · " in page.locator("#viewer-facts").inner_text()
