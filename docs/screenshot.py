"""Make the pictures of the documentation: draw with the mouse on the page of a running server.

Run: sketchseek demo --no-open, then: python docs/screenshot.py http://127.0.0.1:8765/
Writes drawing.gif to docs/, with a cat.

Run: sketchseek serve --library photos.library, then: python docs/screenshot.py URL --drawing docs/umbrella.json
Writes page-umbrella.png to docs/. The photos in it are Caltech-101's.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from sketchseek.samples.pictures import CAT

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SIZE = (1280, 780)
GIF_WIDTH, COLORS = 720, 96
FRAME_MS, LAST_MS = 220, 2500

Strokes = list[list[list[float]]]


def main() -> None:
    """Read the options and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--drawing", type=Path, help="Strokes as JSON, in place of the cat.")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    parser.add_argument("--chromium", default=CHROMIUM)
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        page = opened(browser, options.url, options.scheme)
        strokes = json.loads(options.drawing.read_text(encoding="utf-8")) if options.drawing else CAT
        frames: list[Image.Image] = []
        draw(page, strokes, lambda: frames.append(frame(page)))
        settle(page)
        if options.drawing:
            page.screenshot(path=options.out / f"page-{options.drawing.stem}.png")
        else:
            write_gif([*frames, frame(page)], options.out / "drawing.gif")
        browser.close()


def opened(browser: Browser, url: str, scheme: str) -> Page:
    """Open the page."""
    page = browser.new_page(
        viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.set_default_timeout(120_000)
    page.goto(url)
    page.locator("#paper").wait_for()
    return page


def draw(page: Page, strokes: Strokes, after: Callable[[], None] = lambda: None) -> None:
    """Draw strokes with the mouse, centered on the sheet, and call ``after`` behind each of them."""
    box = page.locator("#paper").bounding_box()
    if box is None:
        raise SystemExit("The page has no sheet to draw on.")
    xs, ys = ([value for stroke in strokes for value in stroke[axis]] for axis in (0, 1))
    scale = 0.75 * min(box["width"] / (max(xs) - min(xs)), box["height"] / (max(ys) - min(ys)))
    left = box["x"] + box["width"] / 2 - scale * (max(xs) + min(xs)) / 2
    top = box["y"] + box["height"] / 2 - scale * (max(ys) + min(ys)) / 2
    for stroke in strokes:
        points = [(left + scale * x, top + scale * y) for x, y in zip(stroke[0], stroke[1], strict=True)]
        page.mouse.move(*points[0])
        page.mouse.down()
        for x, y in points[1:]:
            page.mouse.move(x, y, steps=4)
        page.mouse.up()
        page.wait_for_timeout(300)
        after()


def settle(page: Page) -> None:
    """Wait until the results are there with their thumbnails."""
    page.locator("#grid img").first.wait_for()
    page.mouse.move(5, 5)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3000)


def frame(page: Page) -> Image.Image:
    """Return what the page shows, at the size of the animation."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return shot.resize((GIF_WIDTH, GIF_WIDTH * shot.height // shot.width), Image.Resampling.LANCZOS)


def write_gif(frames: list[Image.Image], path: Path) -> None:
    """Write an animation that ends with a pause; all frames share the colors of the last one."""
    palette = frames[-1].quantize(COLORS)
    pictures = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
    durations = [FRAME_MS] * (len(pictures) - 1) + [LAST_MS]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    main()
