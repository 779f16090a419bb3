"""Parse SVG path data and transforms (SVG 1.1, chapters 7.6 and 8.3) in linear time.

svgelements, the usual parser, takes minutes for a megabyte of repeated ``Z`` and six seconds for a megabyte of arcs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sketchseek.errors import SketchError
from sketchseek.sketches.strokes import MAX_POINTS, Polylines

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"

Matrix = npt.NDArray[np.float64]
"""(2, 3): a point (x, y) goes to ``matrix @ (x, y, 1)``."""

IDENTITY: Matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

_COMMAND = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])([^MmZzLlHhVvCcSsQqTtAa]*)")
_NUMBERS = re.compile(NUMBER)
# Flags may follow each other without a blank. The groups are atomic, or a long number could be split in many ways.
_ARC = re.compile(
    rf"[\s,]*((?>{NUMBER}))[\s,]*((?>{NUMBER}))[\s,]*((?>{NUMBER}))[\s,]*"
    rf"([01])[\s,]*([01])[\s,]*((?>{NUMBER}))[\s,]*((?>{NUMBER}))"
)
_TRANSFORM = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")
_TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7}
_CURVE = np.linspace(0.0, 1.0, 17)[1:].tolist()

_Point = complex


def path_polylines(text: str) -> Polylines:
    """Convert a path to polylines, each curve in 16 steps. Data after an error is ignored, as in browsers.

    Raises:
        SketchError: More than ``MAX_POINTS`` points.
    """
    pen = _Pen()
    for command, arguments in _COMMAND.findall(text):
        if command in "Zz":
            pen.close()
            continue
        takes = _TAKES[command.upper()]
        numbers = _arc_numbers(arguments) if takes == 7 else _floats(_NUMBERS.findall(arguments))
        if len(numbers) < takes or (not pen.points and command not in "Mm"):
            break
        for at in range(0, len(numbers) - takes + 1, takes):
            pen.draw(command, numbers[at : at + takes])
            # More pairs after a move are lines.
            command = {"M": "L", "m": "l"}.get(command, command)
    pen.lift()
    return [np.array([[point.real, point.imag] for point in line], dtype=np.float64) for line in pen.lines]


def _arc_numbers(text: str) -> list[float]:
    numbers: list[float] = []
    at = 0
    while match := _ARC.match(text, at):
        numbers.extend(_floats(match.groups()))
        at = match.end()
    return numbers


def _floats(texts: Iterable[str]) -> list[float]:
    numbers = [float(text) for text in texts]
    if not all(map(math.isfinite, numbers)):
        raise SketchError("a number in it is not finite.")
    return numbers


class _Pen:
    """The current point of a path; points are complex numbers."""

    def __init__(self) -> None:
        self.lines: list[list[_Point]] = []
        self.points: list[_Point] = []
        self._count = 0
        self._control: tuple[str, _Point] = ("", 0j)

    def lift(self) -> None:
        if len(self.points) > 1:
            self.lines.append(self.points)
        self.points = []

    def close(self) -> None:
        if len(self.points) > 1:
            start = self.points[0]
            self._to([start])
            self.lift()
            self.points = [start]
        self._control = ("", 0j)

    def draw(self, command: str, numbers: list[float]) -> None:
        at = self.points[-1] if self.points else 0j
        base = at if command.islower() else 0j
        kind = command.upper()
        control: tuple[str, _Point] = ("", 0j)
        if kind == "H":
            self._to([complex(base.real + numbers[0], at.imag)])
        elif kind == "V":
            self._to([complex(at.real, base.imag + numbers[0])])
        elif kind == "A":
            end = base + complex(*numbers[5:])
            self._to(_arc(at, numbers[0], numbers[1], numbers[2], numbers[3] == 1, numbers[4] == 1, end))
        else:
            given = [base + complex(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            if kind == "M":
                self.lift()
                self._to(given)
            elif kind == "L":
                self._to(given)
            elif kind in "CS":
                first = given[0] if kind == "C" else self._mirrored("C", at)
                second, end = given[-2:]
                self._to([_cubic(at, first, second, end, t) for t in _CURVE])
                control = ("C", second)
            else:
                middle = given[0] if kind == "Q" else self._mirrored("Q", at)
                end = given[-1]
                self._to([(1 - t) ** 2 * at + 2 * t * (1 - t) * middle + t * t * end for t in _CURVE])
                control = ("Q", middle)
        self._control = control

    def _mirrored(self, kind: str, at: _Point) -> _Point:
        return 2 * at - self._control[1] if self._control[0] == kind else at

    def _to(self, points: list[_Point]) -> None:
        self._count += len(points)
        if self._count > MAX_POINTS:
            raise SketchError(f"more than {MAX_POINTS:,} points.", remedy="Simplify the sketch.")
        self.points.extend(points)


def _cubic(a: _Point, b: _Point, c: _Point, d: _Point, t: float) -> _Point:
    u = 1 - t
    return u**3 * a + 3 * u * u * t * b + 3 * u * t * t * c + t**3 * d


def _arc(start: _Point, rx: float, ry: float, degrees: float, large: bool, sweep: bool, end: _Point) -> list[_Point]:
    """Points of an elliptical arc, by SVG 1.1, appendix F.6."""
    rx, ry = abs(rx), abs(ry)
    if rx == 0 or ry == 0 or start == end:
        return [end]
    turn = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    half = (start - end) / 2 / turn
    x, y = half.real / rx, half.imag / ry  # on the unit circle that the ellipse becomes
    size = x * x + y * y
    if not (math.isfinite(size) and size > 0):
        return [end]
    if size > 1:  # radii too small to reach
        grow = math.sqrt(size)
        rx, ry, x, y, size = rx * grow, ry * grow, x / grow, y / grow, 1.0
    offset = math.sqrt(max(0.0, 1 / size - 1)) * (-1 if large == sweep else 1)
    center = complex(offset * y, -offset * x)
    first, last = complex(x, y) - center, complex(-x, -y) - center
    begin = math.atan2(first.imag, first.real)
    span = (math.atan2(last.imag, last.real) - begin) % (2 * math.pi)
    if not sweep:
        span -= 2 * math.pi
    middle = (start + end) / 2
    points = []
    for t in _CURVE[:-1]:
        angle = begin + t * span
        unit = complex(math.cos(angle), math.sin(angle)) + center
        points.append(complex(unit.real * rx, unit.imag * ry) * turn + middle)
    return [*points, end]


def parse_transform(text: str) -> Matrix:
    """The matrix of a transform attribute; unknown functions are ignored."""
    matrix = IDENTITY
    for kind, arguments in _TRANSFORM.findall(text[:1000]):
        numbers = _floats(_NUMBERS.findall(arguments))
        step = _step(kind, numbers)
        if step is not None:
            matrix = compose(matrix, step)
    return matrix


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """The matrix that applies ``inner``, then ``outer``."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def _step(kind: str, numbers: list[float]) -> Matrix | None:
    match kind, numbers:
        case "matrix", [a, b, c, d, e, f]:
            return np.array([[a, c, e], [b, d, f]])
        case "translate", [x, *rest] if len(rest) < 2:
            return np.array([[1.0, 0.0, x], [0.0, 1.0, rest[0] if rest else 0.0]])
        case "scale", [x, *rest] if len(rest) < 2:
            return np.array([[x, 0.0, 0.0], [0.0, rest[0] if rest else x, 0.0]])
        case "rotate", [degrees, *center] if len(center) in (0, 2):
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            x, y = center or (0.0, 0.0)
            return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]])
        case "skewX", [degrees]:
            return np.array([[1.0, math.tan(math.radians(degrees)), 0.0], [0.0, 1.0, 0.0]])
        case "skewY", [degrees]:
            return np.array([[1.0, 0.0, 0.0], [math.tan(math.radians(degrees)), 1.0, 0.0]])
    return None
