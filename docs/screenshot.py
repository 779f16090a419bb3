"""Make docs/page.png: draw a Quick, Draw! sketch with the mouse on the page of a running server.

Run: sketchseek demo --no-open, then: python docs/screenshot.py http://127.0.0.1:8765/ SKETCHES.ndjson [--index 3]
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main() -> None:
    """Read the options and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("sketches", type=Path, help="A file of Quick, Draw!'s simplified format.")
    parser.add_argument("--index", type=int, default=0, help="Which of the file's sketches.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("page.png"))
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    parser.add_argument("--chromium", default=CHROMIUM)
    options = parser.parse_args()
    with options.sketches.open(encoding="utf-8") as lines:
        strokes = json.loads(next(itertools.islice(lines, options.index, None)))["drawing"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 780}, color_scheme=options.scheme)
        page.goto(options.url)
        draw(page, strokes)
        page.locator("#grid img").first.wait_for()
        page.mouse.move(5, 5)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        page.screenshot(path=options.out)
        browser.close()


def draw(page: Page, strokes: list[list[list[float]]]) -> None:
    """Draw strokes with the mouse, centered on the sheet."""
    box = page.locator("#paper").bounding_box()
    if box is None:
        raise SystemExit("The page has no sheet to draw on.")
    xs, ys = ([value for stroke in strokes for value in stroke[axis]] for axis in (0, 1))
    scale = 0.75 * box["width"] / max(max(xs) - min(xs), max(ys) - min(ys), 1)
    left = box["x"] + box["width"] / 2 - scale * (max(xs) + min(xs)) / 2
    top = box["y"] + box["height"] / 2 - scale * (max(ys) + min(ys)) / 2
    for stroke in strokes:
        points = [(left + scale * x, top + scale * y) for x, y in zip(stroke[0], stroke[1], strict=True)]
        page.mouse.move(*points[0])
        page.mouse.down()
        for x, y in points[1:] or points:
            page.mouse.move(x, y, steps=4)
        page.mouse.up()


if __name__ == "__main__":
    main()
