"""Rasterize SVG pictures.

Own walk over the elements, since SVG libraries follow every reference as often as it stands there: elements, depth,
path text and points are bounded, and nothing outside the text is ever opened.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
from PIL import ImageColor

from sketchseek.errors import EmptySketchError, SketchError
from sketchseek.sketches.strokes import MAX_POINTS, Polylines, Raster, check_polylines, draw_polylines
from sketchseek.sketches.svg_path import IDENTITY, NUMBER, Matrix, compose, parse_transform, path_polylines

MAX_ELEMENTS = 20_000
"""Maximum number of elements; those that ``use`` repeats are counted each time."""

MAX_DEPTH = 100
MAX_PATH_TEXT = 1_000_000
"""Maximum characters of all paths together; repeated ones are counted each time."""

_GROUPS = frozenset({"g", "a", "svg", "switch"})
_SHAPES = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"})
_INHERITED = ("fill", "stroke", "visibility")
_UNITS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "pt": 96 / 72, "pc": 16.0, "em": 16.0}

_Attributes = dict[str, str]


def rasterize_svg(text: str, size: int) -> Raster:
    """Draw the outlines of an SVG picture's shapes and paths. See ``rasterize_sketch``.

    Shapes that cannot be seen and a filled background are left out, as are texts and embedded pictures.
    """
    return draw_polylines(svg_polylines(text), size)


def svg_polylines(text: str) -> Polylines:
    """The outlines of an SVG picture's shapes and paths.

    Raises:
        EmptySketchError: It has none.
        SketchError: It is not SVG, its DOCTYPE has declarations, or it is beyond one of the caps.
    """
    root = _parse(text)
    if root.tag != "svg":
        raise SketchError(f"not an SVG: its root element is <{root.tag[:40]}>.")
    walk = _Walk(root)
    with np.errstate(over="ignore", invalid="ignore"):  # huge numbers are refused below
        walk.visit(root, {}, IDENTITY, 0)
    lines = walk.lines or walk.pale
    check_polylines(lines)
    if not lines:
        raise EmptySketchError(
            "the SVG has no paths or shapes.", remedy="Turn its texts and pictures into paths, or save it as PNG."
        )
    return lines


@dataclass
class _Element:
    tag: str
    attributes: _Attributes
    children: list[_Element] = field(default_factory=list)


class _Builder:
    """Handlers of the XML parser: elements and attributes, no text, and no document type with content."""

    def __init__(self) -> None:
        self.root: _Element | None = None
        self._open: list[_Element] = []
        self._count = 0

    def doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        # Entities and default attributes make a small text expand without end. The parser calls this before it reads
        # the first declaration, so nothing can be hidden from it. Sketch programs need no declarations.
        if has_internal_subset:
            raise SketchError("an SVG with declarations in its DOCTYPE is not read.", remedy="Save it as plain SVG.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise SketchError(f"more than {MAX_ELEMENTS:,} elements.", remedy="Simplify the sketch.")
        if len(self._open) >= MAX_DEPTH:
            raise SketchError(f"elements nested more than {MAX_DEPTH} deep.", remedy="Simplify the sketch.")
        element = _Element(_local(tag), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        elif self.root is None:
            self.root = element
        self._open.append(element)

    def end(self, tag: str) -> None:
        self._open.pop()


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _parse(text: str) -> _Element:
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise SketchError(f"not well-formed SVG ({error}).") from error
    except UnicodeEncodeError as error:
        raise SketchError("not UTF-8 text.") from error
    if builder.root is None:
        raise SketchError("not an SVG: it has no elements.")
    return builder.root


class _Walk:
    """Collects the outlines of visible elements."""

    def __init__(self, root: _Element) -> None:
        self.lines: Polylines = []
        self.pale: Polylines = []  # in the color of the paper; used only if there is nothing else
        self._styled = False  # by a style sheet, which is not read: colors are unknown
        self._elements = 0
        self._points = 0
        self._path_text = 0
        self._named: dict[str, _Element] = {}
        self._paper = "white"
        waiting = [root]
        while waiting:
            element = waiting.pop()
            self._styled |= element.tag == "style"
            if name := element.attributes.get("id"):
                self._named.setdefault(name, element)
            waiting.extend(element.children)
        box = _numbers(root.attributes.get("viewBox", ""))
        width, height = (box[2], box[3]) if len(box) == 4 else (0.0, 0.0)
        self._view = (
            width or _length(root.attributes.get("width", ""), 100.0) or 100.0,
            height or _length(root.attributes.get("height", ""), 100.0) or 100.0,
        )

    def visit(self, element: _Element, inherited: _Attributes, matrix: Matrix, depth: int) -> None:
        """Collect an element and its children, transformed by ``matrix``."""
        self._count_element(depth)
        attributes = element.attributes | _style(element.attributes.get("style", "")[:4000])
        if attributes.get("display") == "none" or attributes.get("opacity", "").strip() in ("0", "0%"):
            return
        inherited = inherited | {
            key: attributes[key] for key in _INHERITED if attributes.get(key, "inherit") != "inherit"
        }
        if transform := attributes.get("transform"):
            matrix = compose(matrix, parse_transform(transform))
        if element.tag in _SHAPES:
            self._add(element.tag, attributes, inherited, matrix)
        elif element.tag == "use":
            self._use(attributes, inherited, matrix, depth)
        elif element.tag in _GROUPS:
            if element.tag == "svg" and depth > 0:
                matrix = self._viewport(attributes, attributes, matrix)
            for child in element.children:
                self.visit(child, inherited, matrix, depth + 1)

    def _count_element(self, depth: int) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise SketchError(f"more than {MAX_ELEMENTS:,} elements.", remedy="Simplify the sketch.")
        if depth > MAX_DEPTH:
            raise SketchError(f"elements nested more than {MAX_DEPTH} deep.", remedy="Simplify the sketch.")

    def _use(self, attributes: _Attributes, inherited: _Attributes, matrix: Matrix, depth: int) -> None:
        reference = attributes.get("href", "")
        target = self._named.get(reference[1:]) if reference.startswith("#") else None
        if target is None:  # external references are never opened
            return
        x, y = self._lengths(attributes, "x", "y")
        if x or y:
            matrix = compose(matrix, parse_transform(f"translate({x},{y})"))
        if target.tag == "symbol":
            matrix = self._viewport(target.attributes, attributes | {"x": "0", "y": "0"}, matrix)
            target = _Element("g", {}, target.children)
        self.visit(target, inherited, matrix, depth + 1)

    def _viewport(self, inner: _Attributes, outer: _Attributes, matrix: Matrix) -> Matrix:
        """Where a nested ``svg`` or a ``symbol`` lies: its view box in the middle of its width and height."""
        x, y = self._lengths(outer, "x", "y")
        width = _length(outer.get("width", "100%"), self._view[0])
        height = _length(outer.get("height", "100%"), self._view[1])
        box = _numbers(inner.get("viewBox", ""))
        if len(box) == 4 and box[2] > 0 and box[3] > 0 and width > 0 and height > 0:
            scale = min(width / box[2], height / box[3])
            x += (width - scale * box[2]) / 2 - scale * box[0]
            y += (height - scale * box[3]) / 2 - scale * box[1]
            return compose(matrix, parse_transform(f"matrix({scale},0,0,{scale},{x},{y})"))
        return compose(matrix, parse_transform(f"translate({x},{y})"))

    def _lengths(self, attributes: _Attributes, *names: str) -> list[float]:
        across, down = self._view
        relative = {"x": across, "cx": across, "width": across, "x1": across, "x2": across, "rx": across}
        return [_length(attributes.get(name, ""), relative.get(name, down)) for name in names]

    def _add(self, tag: str, attributes: _Attributes, inherited: _Attributes, matrix: Matrix) -> None:
        path = attributes.get("d", "") if tag == "path" else self._outline(tag, attributes)
        if not path.strip() or inherited.get("visibility") in ("hidden", "collapse"):
            return
        fill = _paint(inherited.get("fill", "black"))
        stroke = _paint(inherited.get("stroke", "none"))
        if fill == stroke == "none":
            return
        if tag == "rect" and stroke == "none" and not self.lines and self._is_background(attributes):
            self._paper = fill
        target = self.pale if {fill, stroke} <= {"none", self._paper} and not self._styled else self.lines
        self._path_text += len(path)
        if self._path_text > MAX_PATH_TEXT:
            raise SketchError(f"more than {MAX_PATH_TEXT:,} characters of paths.", remedy="Simplify the sketch.")
        for line in path_polylines(path):
            self._points += len(line)
            if self._points > MAX_POINTS:
                raise SketchError(f"more than {MAX_POINTS:,} points.", remedy="Simplify the sketch.")
            target.append(line @ matrix[:, :2].T + matrix[:, 2])

    def _is_background(self, attributes: _Attributes) -> bool:
        width, height = self._lengths(attributes, "width", "height")
        return width >= 0.99 * self._view[0] and height >= 0.99 * self._view[1]

    def _outline(self, tag: str, attributes: _Attributes) -> str:
        """A shape as the text of a path."""
        if tag in ("polyline", "polygon"):
            points = attributes.get("points", "")
            return f"M {points}{' Z' if tag == 'polygon' else ''}" if points.strip() else ""
        if tag == "line":
            return "M {} {} L {} {}".format(*self._lengths(attributes, "x1", "y1", "x2", "y2"))
        if tag == "rect":
            x, y, width, height = self._lengths(attributes, "x", "y", "width", "height")
            if not (width > 0 and height > 0):
                return ""
            rx, ry = (attributes.get(name) for name in ("rx", "ry"))
            across, down = self._lengths({"rx": rx or ry or "", "ry": ry or rx or ""}, "rx", "ry")
            across, down = min(across, width / 2), min(down, height / 2)
            if not (across > 0 and down > 0):
                return f"M {x} {y} h {width} v {height} h {-width} Z"
            corner = f"a {across} {down} 0 0 1"
            return (
                f"M {x + across} {y} h {width - 2 * across} {corner} {across} {down} v {height - 2 * down} "
                f"{corner} {-across} {down} h {2 * across - width} {corner} {-across} {-down} "
                f"v {2 * down - height} {corner} {across} {-down} Z"
            )
        cx, cy, rx_, ry_, r = self._lengths(attributes, "cx", "cy", "rx", "ry", "r")
        across, down = (r, r) if tag == "circle" else (rx_ or ry_, ry_ or rx_)
        if not (across > 0 and down > 0):
            return ""
        half = f"a {across} {down} 0 1 1"
        return f"M {cx - across} {cy} {half} {2 * across} 0 {half} {-2 * across} 0 Z"


def _style(text: str) -> _Attributes:
    pairs = (item.split(":", 1) for item in text.split(";") if ":" in item)
    return {name.strip(): value.strip() for name, value in pairs}


def _paint(text: str) -> str:
    """A normalized color, or "none"; an unknown color counts as black."""
    text = text.strip().lower()[:60]
    if text in ("none", "transparent", ""):
        return "none"
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        return "black"
    if alpha == [0]:
        return "none"
    return {(0, 0, 0): "black", (255, 255, 255): "white"}.get((red, green, blue), f"{red},{green},{blue}")


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(NUMBER, text[:1000])]


def _length(text: str, relative: float) -> float:
    """A length in user units; 0 if it is not a length."""
    match = re.fullmatch(rf"\s*({NUMBER})\s*(%|[a-z]*)\s*", text[:100])
    if match is None:
        return 0.0
    number = float(match[1])
    length = number * relative / 100.0 if match[2] == "%" else number * _UNITS.get(match[2], 1.0)
    return length if math.isfinite(length) else 0.0
