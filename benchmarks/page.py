"""From the end of a stroke to painted results, in Chromium against a real server; page weight; the cold load.

    python benchmarks/page.py [--model NAME_OR_PATH] [--photos 1000 10000 100000] [--strokes 30]
                              [--encode auto browser server] [--words "beach garden"] [--json]

Embeddings are random and clustered (see engines.py) and go straight into the library; the photos are generated
pictures, few of them, each under many names. The parts of a stroke's time:

- encode: pen up to the question's departure: raster and encoder where the browser encodes, else next to nothing;
- search: what the server says it took (and encoding, where it encodes);
- network: the rest from the question's departure to its answer, as JSON that has been read;
- paint: from there to the end of the frame in which the grid has the new results;
- photos: from the answer to the frame in which every tile that can be seen has its new photo. It is not part of the
  whole: the server makes each thumbnail anew here, since every photo is met for the first time.

It is measured with sketches encoded in the browser, on the server, and where the page itself chooses (auto).

With ``--words``, these are in the text box while one draws: 1 in 77 photos has both of ``beach garden``.

Then the results are scrolled through, 60 pixels a frame: the time between frames.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from engines import vectors

from sketchseek.models import DEFAULT_MODEL
from sketchseek.photo_metadata import PhotoMetadata
from sketchseek.search.catalog import Catalog, Description, Row
from sketchseek.search.colors import signature_of
from sketchseek.search.index_mirror import IndexMirror
from sketchseek.search.library import Library

CHROMIUM = os.environ.get("SKETCHSEEK_CHROMIUM", "/usr/bin/chromium")
PICTURES = 200
_WORDS = ["beach", "garden", "cat", "dog", "sunset", "harbor", "mountain", "forest", "snow", "bicycle", "street"]
ENCODE = ("auto", "browser", "server")
SETTLED = "['', 'preferred', 'faster'].includes(document.getElementById('where').dataset.reason)"
PARTS = ("encode", "search", "network", "paint", "whole", "photos")

WATCH = """
const nothing = () => ({ up: 0, asks: [], painted: 0, photos: 0 });
window.seen = nothing();
addEventListener("pointerdown", () => { seen = nothing(); }, true);
addEventListener("pointerup", () => { seen.up = performance.now(); }, true);
// A task that a frame's own callback posts runs once the frame is painted.
const afterFrame = (work) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = work;
  port2.postMessage(0);
});
const complete = () => [...document.querySelectorAll("#grid li")].every((tile) => {
  const { top, bottom } = tile.getBoundingClientRect();
  const photo = [...tile.querySelectorAll("img")].at(-1);
  return bottom < 0 || top > innerHeight || photo?.src.includes(`/photos/${tile.dataset.id}/`);
});
const plain = window.fetch;
window.fetch = async (address, options) => {
  if (!String(address).includes("api/v1/search/")) return plain(address, options);
  const mine = seen;
  const embedded = String(address).includes("search/embedding") || String(options?.body).includes('"embedding"');
  const ask = { sent: performance.now(), embedded };
  mine.asks.push(ask);
  const answer = await plain(address, options);
  const json = answer.json.bind(answer);
  answer.json = async () => {
    const body = await json();
    ask.answered = performance.now();
    mine.painted = mine.photos = 0; // of this answer
    ask.seconds = body.seconds;
    return body;
  };
  return answer;
};
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const mine = seen;
  const answered = mine.asks.at(-1)?.answered;
  if (!answered) return;
  if (!mine.painted || mine.painted < answered) afterFrame(() => { mine.painted ||= performance.now(); });
  if (!mine.photos && complete()) afterFrame(() => { mine.photos ||= performance.now(); });
}).observe(document.getElementById("grid"), { childList: true, subtree: true, attributes: true }));
"""

SCROLL = """async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const times = [];
  let before = await frame();
  for (let i = 0; i < 180; i++) {
    scrollBy(0, 60);
    const now = await frame();
    times.push(now - before);
    before = now;
  }
  return times;
}"""


def fill(folder: Path, model: str, count: int) -> Path:
    """Write pictures and a library of ``count`` photos; returns the library's path."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    random = np.random.default_rng(0)
    signatures = []
    for number in range(PICTURES):
        cells = random.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        signatures.append(signature_of(cells))
        Image.fromarray(cells).resize((320, 240), Image.Resampling.BICUBIC).save(photos / f"{number}.jpg", quality=80)
    path = folder / "library"
    with Library.create(path, model) as library:
        manifest = library.encoder.manifest
    made, _ = vectors(count, manifest.dimensions, random)
    catalog = Catalog(path, write=True)
    with catalog.transaction():
        for i, embedding in enumerate(made.astype(np.float16)):
            name = photos / f"of {i:07d}.jpg"
            os.link(photos / f"{i % PICTURES}.jpg", name)
            status = name.stat()
            digest = i.to_bytes(32, "big")
            caption = f"{_WORDS[i % 7]} {_WORDS[i // 7 % 11]} {i}"
            row = Row(
                os.fsencode(name),
                status.st_size,
                status.st_mtime_ns,
                digest,
                320,
                240,
                embedding.tobytes(),
                Description(PhotoMetadata(caption=caption), signatures[i % PICTURES]),
            )
            catalog.add(row)
    IndexMirror(path, manifest.dimensions, manifest.distance).save(catalog)
    catalog.close()
    return path


def measure(library: Path, strokes: int, encode: str, words: str = "") -> dict[str, Any]:
    """Serve a library, draw on its page beside words, and take the times; ``encode`` is one of ENCODE."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "sketchseek", "serve", "--library", str(library), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(60_000)
            page.add_init_script(WATCH)
            page.goto(url if encode == "auto" else f"{url}?encode={encode}")
            cold = page.evaluate(
                """() => ({
                  ready: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
                  first_paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
                })"""
            )
            for _ in range(600):  # until the encoder is loaded and checked; Playwright's own wait needs eval
                if page.evaluate(SETTLED):
                    break
                page.wait_for_timeout(100)
            else:
                raise SystemExit(f"The page did not settle: {page.locator('#where').inner_text()}")
            said = page.locator("#where").inner_text()
            page.wait_for_timeout(2000)
            weight = page.evaluate(
                """() => Object.fromEntries(["navigation", "resource"].flatMap((kind) =>
                  performance.getEntriesByType(kind).map((one) => [new URL(one.name).pathname, one.transferSize])))"""
            )
            if words:
                page.locator("#words").fill(words)
                page.wait_for_timeout(1000)
            times = _strokes(page, strokes)
            frames = page.evaluate(SCROLL)
            browser.close()
    finally:
        server.terminate()
        server.wait(20)
    return {
        "strokes": len(times),
        "encoded": " and ".join(sorted({one["encoded"] for one in times})),
        "said": said,
        **{
            part: {f"p{q}": round(float(np.percentile([one[part] for one in times], q)), 1) for q in (50, 95)}
            for part in PARTS
        },
        "scroll_frame_ms": {f"p{q}": round(float(np.percentile(frames, q)), 1) for q in (50, 95)},
        "cold_load_ms": cold,
        "weight_bytes": {"all": sum(weight.values()), "largest": sorted(weight.items(), key=lambda one: -one[1])[:5]},
    }


def _strokes(page: Any, count: int) -> list[dict[str, Any]]:
    box = page.locator("#paper").bounding_box()
    random = np.random.default_rng(1)
    times = []
    for number in range(count + 2):
        points = [
            (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in random.uniform(0.1, 0.9, (5, 2))
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=6)
        page.mouse.up()
        for _ in range(200):
            page.wait_for_timeout(20)
            seen = page.evaluate("() => ({ ...seen, busy: document.getElementById('found').ariaBusy === 'true' })")
            last = seen["asks"][-1] if seen["asks"] else {}
            if not seen["busy"] and last.get("answered") and seen["painted"] and seen["photos"]:
                break
        else:
            continue
        if number >= 2:  # the first are to warm up
            # Where the pen rested before it went up, the last question was on its way by then, or even answered.
            took = 1000 * last["seconds"]
            times.append(
                {
                    "encode": max(0.0, last["sent"] - seen["up"]),
                    "search": took,
                    "network": last["answered"] - last["sent"] - took,
                    "paint": seen["painted"] - last["answered"],
                    "whole": max(0.0, seen["painted"] - seen["up"]),
                    "photos": seen["photos"] - last["answered"],
                    "encoded": "in the browser" if last["embedded"] else "on the server",
                }
            )
        if number % 6 == 5:
            page.keyboard.press("Delete")
            page.wait_for_timeout(100)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--photos", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--strokes", type=int, default=30)
    parser.add_argument("--encode", choices=ENCODE, nargs="+", default=list(ENCODE))
    parser.add_argument("--words", default="", help="Words in the text box.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: dict[int, dict[str, dict[str, Any]]] = {}
    for count in options.photos:
        with tempfile.TemporaryDirectory() as folder:
            library = fill(Path(folder), options.model, count)
            rows[count] = {
                encode: measure(library, options.strokes, encode, options.words) for encode in options.encode
            }
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'photos':>8}  {'mode':8}" + "  ".join(f"{part + ' p50/p95':>17}" for part in PARTS) + "  encoded")
    for count, ways in rows.items():
        for encode, row in ways.items():
            cells = [f"{row[part]['p50']:.1f} / {row[part]['p95']:.1f}" for part in PARTS]
            print(f"{count:8,}  {encode:8}" + "  ".join(f"{cell:>17}" for cell in cells) + f"  {row['encoded']}")
            if encode == "auto":
                print(f"{'':18}the page says: {row['said']}")
    last = rows[options.photos[-1]][options.encode[0]]
    print(f"frames while scrolling: {last['scroll_frame_ms']}")
    print(f"cold load: {last['cold_load_ms']}; weight: {last['weight_bytes']}")


if __name__ == "__main__":
    main()
