"""Hollowing, thinning and connected parts of masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from sketchseek.sketches.thinning import Components, Mask, hollow, thin

masks = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(lambda shape: arrays(np.bool_, shape))


def labels(mask: Mask) -> list[set[tuple[int, int]]]:
    """The 8-connected components by walking from pixel to pixel."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
    parts = []
    while left:
        part, waiting = set(), [left.pop()]
        while waiting:
            y, x = waiting.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            waiting.extend(near)
        parts.append(part)
    return parts


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(masks)
def test_parts_agree_with_walking(mask: Mask) -> None:
    parts, expected = Components(mask), labels(mask)
    assert parts.count == len(expected)
    assert sorted(parts.area) == sorted(len(part) for part in expected)
    extents = [1 + max(max(axis) - min(axis) for axis in zip(*part, strict=True)) for part in expected]
    assert sorted(parts.extent) == sorted(extents)
    assert np.array_equal(parts.mask(np.ones(parts.count, dtype=np.bool_)), mask)
    for number in range(parts.count):
        one = parts.mask(np.arange(parts.count) == number)
        assert {(int(y), int(x)) for y, x in zip(*np.nonzero(one), strict=True)} in expected
        assert parts.pixels(one)[number] == one.sum() == parts.area[number]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(masks)
def test_thinning_keeps_each_part_one_part(mask: Mask) -> None:
    thinned = thin(mask)
    assert not (thinned & ~mask).any()
    assert len(labels(thinned)) == len(labels(mask))
    assert np.array_equal(thin(thinned), thinned)


def test_thinning_leaves_the_middle_of_a_bar() -> None:
    mask = np.zeros((30, 80), dtype=np.bool_)
    mask[10:17, 5:75] = True
    rows, columns = np.nonzero(thin(mask))
    assert set(rows[(columns > 15) & (columns < 65)]) == {13}
    assert np.ptp(columns) > 60


def test_hollowing_makes_blobs_outlines_and_leaves_lines() -> None:
    image = Image.new("L", (256, 256), 0)
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 140, 140), fill=255)
    draw.line((150, 150, 230, 230), fill=255, width=15)
    mask = np.asarray(image) > 0
    hollowed = hollow(mask, 21)
    assert not hollowed[60:120, 60:120].any()
    assert hollowed[90, 40:44].any()
    assert np.array_equal(hollowed[150:, 150:], mask[150:, 150:])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_small_masks(shape: tuple[int, int]) -> None:
    full = np.ones(shape, dtype=np.bool_)
    assert Components(full).count == 1
    assert thin(full).any()
    empty = np.zeros(shape, dtype=np.bool_)
    assert Components(empty).count == 0
    assert not thin(empty).any()
