"""The page in a real browser: copies of one photo as one result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import body_of, draw, expect_results, results, until, violations
from served import picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_copies_are_one_result_whose_badge_opens_them(
    new_page: Callable[..., Page], tiny_model: ModelPackage, tmp_path: Path, scheme: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        picture(number).save(folder / f"disc {number:02}.png")
    for number in range(3):
        shutil.copy(folder / "disc 05.png", folder / f"disc 05 copy {number}.png")
    with (
        Library.open(tmp_path / "library", tiny_model.path, create=True) as library,
        serving(library, thumbnails=tmp_path / "thumbnails") as address,
    ):
        library.add([folder])
        page = new_page(address, color_scheme=scheme)
        assert page.locator("#group-option").is_hidden()  # without a query nothing is grouped
        draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
        every = expect_results(page)
        assert len(every) == 15
        assert page.locator("#grid .copies:visible").count() == 0

        page.locator("#filters summary").click()
        with page.expect_request("**/api/v1/search/sketch") as sent:
            page.locator("#group-copies").check()
        assert body_of(sent.value)["group_copies"] is True
        until(page, "document.querySelectorAll('#grid .copies:not([hidden])').length > 0")
        grouped = results(page)
        with_copies = library.search(body_of(sent.value)["strokes"], k=48, group_copies=True)
        assert grouped == [one.path.name for one in with_copies]
        first = next(one for one in with_copies if one.path.name.startswith("disc 05"))
        place = grouped.index(first.path.name)
        badge = page.locator("#grid li").nth(place).locator(".copies")
        assert badge.inner_text() == f"+{len(first.copies)}"
        assert len(first.copies) >= 3
        assert violations(page) == []

        badge.click()
        items = page.locator("#copies-list button")
        assert items.count() == 1 + len(first.copies)
        assert page.locator("#copies-name").inner_text() == f"{len(first.copies)} copies of {first.path.name}"
        assert violations(page) == []
        items.nth(2).click()
        until(page, "document.getElementById('viewer-path').textContent !== ''")
        assert page.locator("#viewer-path").inner_text() == str(first.copies[1].path)
        page.keyboard.press("Escape")
        until(page, "location.hash.includes('copies=grouped') && !location.hash.includes('photo=')")
        page.reload()
        until(page, "document.querySelectorAll('#grid .copies:not([hidden])').length > 0")
        assert results(page) == grouped
        assert page.locator("#group-copies").is_checked()
        page.locator("#filters summary").click()
        page.locator("#group-copies").uncheck()
        until(page, "document.querySelectorAll('#grid li').length === 15")
        assert results(page) == every
