"""Requests for fuzzing the REST API: most have a valid structure and one odd value, so that they get past the checks of
structure and reach the code behind them."""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hostile_files import picture

PHOTOS = 20
"""Ids up to this one are taken to exist."""

IMAGES = [picture(kind, 24, 18) for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")]
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 99">'
    b'<g transform="rotate(3)"><path d="M1 2L50 60C1 2 3 4 5 6Z"/></g></svg>'
)

_NUMBERS: list[Any] = [0, 1, -1, 2, 7, 1000, 1001, 2**31, 2**63 - 1, 2**63, 10**30, 0.5, -0.0, 1e-300, 1e300, 1e39]
_TEXTS = [
    "",
    " ",
    "\0",
    "é" * 50,
    "a" * 3000,
    "photo",
    "PHOTO 00001",
    '"',
    "'; --",
    "*",
    "NEAR(a b)",
    "a OR",
    "\ud800x",
]
_TEXTS += ["..", "/", "\\", "%", "_", "[a-z]", "日本", "\u202e", "ﬁ", "ß", "0", "-1", "photos/000", "😀"]
_TIMES = ["2024-01-01", "2024-05-01T12:00:00Z", "0001-01-01", "9999-12-31T23:59:59", "1969-12-31", "2024-02-30", ""]
_TIMES += ["2024-W01-1", "20240101", "2024-01-01T00:00:00+23:59", "0001-01-01T00:00:00+14:00"]
_OTHER_KINDS: list[Any] = [None, True, "", [], {}, [[[]]], {"a": {"b": []}}, 1.5]
_COLORS = ["#c02020", "#fff", "red", "RED", "#12345", "rgb(1,2,3)", "transparent", "", "#GGGGGG"]
_IDS = ["0", "-1", "9" * 30, "%00", "..%2f..", "nan", "1e9", "a" * 3000, "1.0", "%E9", "+1", " 1"]
_SEGMENTS = [
    "photos",
    "model",
    "libraries",
    "search",
    "health",
    "folders",
    "docs",
    "openapi.json",
    "..",
    "",
]


@dataclass(frozen=True)
class Request:
    """A request: arguments of ``httpx.Client.request``."""

    method: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)


def make_request(rng: random.Random, mutate: Callable[[bytes, random.Random, list[bytes]], bytes]) -> Request:
    """Return a request."""
    what = rng.randrange(20)
    if what < 11:
        path, body = _body(rng)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            body = _with_odd_value(body, rng)
        return Request("POST", path, _json(body))
    if what < 13:
        path, body = _body(rng)
        content = mutate(json.dumps(body).encode(), rng, [b'{"k": 3}'])
        return Request("POST", path, {"content": content, "headers": {"Content-Type": "application/json"}})
    if what < 16:
        return _upload(rng, mutate)
    return _get(rng)


def _json(body: object) -> dict[str, Any]:
    # Escaped, since surrogates cannot be encoded; NaN and Infinity are written as Python does.
    return {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}


def strokes(rng: random.Random) -> list[list[list[float]]]:
    """Return strokes: of few or many points, far apart or all in one place, sometimes of one point."""
    scale = rng.choice([0.0, 1e-9, 1.0, 255.0, 255.0, 255.0, 1e6, 1e18])
    made = []
    for _ in range(rng.choice([1, 1, 2, 5, 40])):
        count = rng.choice([1, 2, 3, 10, 100])
        made.append([[round(rng.uniform(-0.2, 1) * scale, 3) for _ in range(count)] for _ in "xy"])
    return made


def _page(rng: random.Random) -> dict[str, Any]:
    page: dict[str, Any] = {}
    if rng.random() < 0.5:
        page["k"] = rng.choice([1, 2, 5, 48, 300, 1000])
    if rng.random() < 0.2:
        page["offset"] = rng.choice([0, 1, 19, 20, 300, 10_000])
    if rng.random() < 0.15:
        page["folder_contains"] = rng.choice(_TEXTS)
    if rng.random() < 0.1:
        page["folder"] = rng.choice(["/", "/tmp", "/nowhere", "relative", "C:\\", *_TEXTS])
    for name in ("after", "before"):
        if rng.random() < 0.15:
            page[name] = rng.choice(_TIMES)
    return page


def _example(rng: random.Random) -> dict[str, Any]:
    example: dict[str, Any] = rng.choice(
        [
            {"strokes": strokes(rng)},
            {"photo_id": rng.randint(1, PHOTOS)},
            {"embedding": [round(rng.uniform(-1, 1), 3) for _ in range(16)]},
            {"image": base64.b64encode(rng.choice([SVG, *IMAGES])).decode()},
            {"image": base64.b64encode(rng.choice(IMAGES)).decode(), "image_kind": "photo"},
        ]
    )
    if rng.random() < 0.3:
        example["weight"] = rng.choice([0.1, 1, 3, 10])
    if rng.random() < 0.2:
        example["negative"] = True
    return example


def _ids(rng: random.Random) -> list[int]:
    return [rng.randint(1, PHOTOS) for _ in range(rng.choice([0, 1, 2, 10]))]


def _body(rng: random.Random) -> tuple[str, Any]:
    page = _page(rng)
    photo = rng.randint(1, PHOTOS)
    query: dict[str, Any] = rng.choice([{"strokes": strokes(rng)}, {"embedding": [0.5] * 16}, {"photo_id": photo}])
    colors = [{"color": rng.choice(_COLORS[:3]), "weight": rng.choice([0.5, 1, 2])} for _ in range(rng.randrange(3))]
    combined = {
        "examples": [_example(rng) for _ in range(rng.randrange(4))],
        "text": rng.choice(_TEXTS),
        "text_mode": rng.choice(["rank", "require"]),
        "text_weight": rng.choice([0, 0.5, 1]),
        "colors": colors,
        "color_weight": rng.choice([0, 0.5, 1]),
    }
    return rng.choice(
        [
            ("search/sketch", {"strokes": strokes(rng), **page}),
            (f"search/photo/{photo}", page),
            ("search/embedding", {"embedding": [round(rng.uniform(-1, 1), 3) for _ in range(16)], **page}),
            ("search/refine", {**query, "positive": _ids(rng), "negative": _ids(rng), **page}),
            ("search/query", {**combined, **page}),
            ("search/query", {**combined, **page}),
            (f"search/explain/{photo}", {"examples": [_example(rng)]}),
            ("model/embedding", {"strokes": strokes(rng)}),
            ("model/embeddings", {"sketches": [strokes(rng) for _ in range(rng.randrange(1, 4))]}),
            ("sync", {}),
            ("folders", {"folder": rng.choice(_TEXTS)}),
        ]
    )


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values in JSON; of long lists, only the first few."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    return [place, *(found for key, item in inner for found in _places(item, (*place, key)))]


def _odd(value: Any, rng: random.Random) -> Any:
    """Return a value in the place of another, mostly of the same kind."""
    if rng.random() < 0.15:
        return rng.choice(_OTHER_KINDS)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice([*_NUMBERS, value + 1, -value, value * 1.5])
    if isinstance(value, str):
        return rng.choice([*_TEXTS, *_TIMES, *_COLORS, value + "a", value[1:], value.upper(), value * 40])
    if isinstance(value, list):
        return rng.choice([[], value[:-1], value * 2, value[::-1], value * 30, [value], [*value, None]])
    if value is None:
        return rng.choice([*_NUMBERS, *_TEXTS])
    return {**value, "unknown": 1} if rng.random() < 0.3 else dict(list(value.items())[1:])


def _with_odd_value(body: Any, rng: random.Random) -> Any:
    body = copy.deepcopy(body)
    *way, last = rng.choice(_places(body)[1:] or [("k",)])
    inner = body
    for key in way:
        inner = inner[key]
    inner[last] = _odd(inner[last] if isinstance(inner, list) else inner.get(last, 5), rng)
    return body


def _upload(rng: random.Random, mutate: Callable[[bytes, random.Random, list[bytes]], bytes]) -> Request:
    data = rng.choice([SVG, json.dumps(strokes(rng)).encode(), *IMAGES])
    if rng.random() < 0.8:
        data = mutate(data, rng, IMAGES)
    fields = {"kind": rng.choice(["sketch", "photo"]), "k": "5"}
    if rng.random() < 0.3:
        fields[rng.choice(["k", "offset", "after", "positive", "folder", "kind"])] = rng.choice(["3", "-1", *_TIMES])
    name = rng.choice(["a.png", "", "../a", "a" * 300, "é.jpg"])
    return Request("POST", "search/image", {"data": fields, "files": {"image": (name, data)}})


def _get(rng: random.Random) -> Request:
    photo = str(rng.randint(1, PHOTOS)) if rng.random() < 0.75 else rng.choice(_IDS)
    size = rng.choice(["160", "320", "640", "1280", "1", "0", "-320", "x"])
    text = rng.choice(_TEXTS).encode("utf-8", "replace").decode()
    headers = rng.choice(
        [
            {},
            {
                "Range": rng.choice(
                    ["bytes=0-9", "bytes=-5", "bytes=9-0", "bytes=0-0,2-3", "lines=1", "bytes=" + "9" * 30]
                )
            },
            {"If-None-Match": rng.choice(['"x"', "*", "W/" + '"', ""])},
            {"If-Modified-Since": rng.choice(["Sat, 01 Jan 2000 00:00:00 GMT", "never"])},
            {"Accept": "text/html", "Accept-Language": "x" * 500},
        ]
    )
    path, parameters = rng.choice(
        [
            (f"photos/{photo}", {}),
            (f"photos/{photo}/thumbnail", {"size": size}),
            (f"photos/{photo}/file", {"download": rng.choice(["true", "no", "2"])}),
            (f"search/photo/{photo}", {key: str(value)[:200] for key, value in _page(rng).items()}),
            ("photo-folders", {"contains": text, "limit": rng.choice(["1", "1000", "0", "x"])}),
            ("folders", {"below": text}),
            ("failures", {"limit": rng.choice(["1", "500", "-1"])}),
            ("status", {"library": rng.choice(["library", "none", text])}),
            ("model/sketch.onnx", {"sha256": rng.choice(["", "0" * 64, text])}),
            ("/".join(rng.choice([*_SEGMENTS, *_IDS[:6]]) for _ in range(rng.randrange(1, 4))), {}),
        ]
    )
    parameters = {key: value.encode("utf-8", "replace").decode() for key, value in parameters.items()}
    return Request(rng.choice(["GET", "GET", "GET", "HEAD"]), path, {"params": parameters, "headers": headers})
