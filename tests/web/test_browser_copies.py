"""The page in a real browser: copies of one photo as one result."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from browsing import LOOKS, STILL, body_of, draw, expect_results, results, until, violations
from served import picture, serving
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PLUS_FIRST = """badge => {
    const at = (from) => {
        const range = document.createRange();
        range.setStart(badge.firstChild, from);
        range.setEnd(badge.firstChild, from + 1);
        return range.getBoundingClientRect().left;
    };
    return at(0) < at(1);
}"""
"""Whether "+" stands left of the number, from right to left, too."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_model: ModelPackage) -> Iterator[Library]:
    """A library of twelve photos, and three copies of one of them."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        picture(number).save(folder / f"disc {number:02}.png")
    for number in range(3):
        shutil.copy(folder / "disc 05.png", folder / f"disc 05 copy {number}.png")
    with Library.open(tmp_path_factory.mktemp("library"), tiny_model.path, create=True) as opened:
        opened.add([folder])
        yield opened


@pytest.fixture(scope="module")
def copied(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the library."""
    with serving(library, thumbnails=tmp_path_factory.mktemp("thumbnails")) as address:
        yield address


def test_copies_are_one_result_whose_badge_opens_them(
    new_page: Callable[..., Page], library: Library, copied: str
) -> None:
    page = new_page(copied)
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

    badge.click()
    items = page.locator("#copies-list button")
    assert items.count() == 1 + len(first.copies)
    assert page.locator("#copies-name").inner_text() == f"{len(first.copies)} copies of {first.path.name}"
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


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_copies(new_page: Callable[..., Page], copied: str, look: dict[str, Any]) -> None:
    page = new_page(copied, **look, **STILL)
    draw(page, (0.2, 0.2), (0.8, 0.25), (0.7, 0.8))
    expect_results(page)
    page.locator("#filters summary").click()
    page.locator("#group-copies").check()
    until(page, "document.querySelectorAll('#grid .copies:not([hidden])').length > 0")
    page.keyboard.press("Escape")
    badge = page.locator("#grid .copies:visible").first
    badge.scroll_into_view_if_needed()
    box, tile = badge.bounding_box(), page.locator("#grid li:has(.copies:visible)").first.bounding_box()
    assert box is not None
    assert tile is not None
    assert tile["x"] <= box["x"]
    assert box["x"] + box["width"] <= tile["x"] + tile["width"]
    assert badge.evaluate(PLUS_FIRST)
    assert violations(page) == [], "badge"
    badge.click()
    page.locator("#copies-list button").first.wait_for()
    assert violations(page) == [], "copies"
