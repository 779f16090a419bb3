"""The perceptual hash: as the formula says, the same for copies, another for other pictures."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from search.painted import blobs
from sketchseek.search.copies import BITS
from sketchseek.search.picture_hash import HASH, differing_bits, picture_hash


def bits_between(first: Image.Image, second: Image.Image) -> int:
    one, other = (np.frombuffer(picture_hash(np.asarray(image)), np.uint8) for image in (first, second))
    return int(differing_bits(one[None], other)[0])


def slow_hash(gray: np.ndarray) -> bytes:
    """The definition, in loops."""
    side = len(gray)
    values = []
    for u in range(16):
        for v in range(16):
            total = 0.0
            for x in range(side):
                for y in range(side):
                    total += (
                        gray[x, y] * math.cos(math.pi * (x + 0.5) * u / side) * math.cos(math.pi * (y + 0.5) * v / side)
                    )
            values.append(total * (0.5**0.5 if u == 0 else 1) * (0.5**0.5 if v == 0 else 1))
    middle = sorted(values[1:])[127]
    return np.packbits([value > middle for value in values]).tobytes()


def test_it_is_as_the_formula_says() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 1)).astype(np.uint8).repeat(3, axis=2)
    gray = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)
    assert picture_hash(pixels) == slow_hash(gray)


@pytest.mark.parametrize("seed", range(10))
def test_copies_have_nearly_the_same_hash(seed: int) -> None:
    photo = blobs(seed)
    buffer = io.BytesIO()
    photo.resize((60, 60), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
    small = Image.open(buffer).resize((240, 240), Image.Resampling.BILINEAR)
    assert bits_between(photo, small) <= BITS
    assert bits_between(photo, photo.resize((256, 256), Image.Resampling.BILINEAR)) <= 6  # what ``describe`` reads
    for other in (blobs(seed + 100), photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), photo.rotate(90)):
        assert bits_between(photo, other) > 60


def test_nearly_plain_pictures_have_none() -> None:
    noise = np.random.default_rng(0).integers(0, 12, (100, 100, 3)).astype(np.uint8)
    assert picture_hash(200 + noise) == b""
    assert len(picture_hash(np.asarray(blobs(0)))) == HASH


@given(st.binary(min_size=64, max_size=64))
@settings(max_examples=50)
def test_bits_are_counted(data: bytes) -> None:
    one, other = np.frombuffer(data[:32], np.uint8), np.frombuffer(data[32:], np.uint8)
    expected = (int.from_bytes(data[:32], "big") ^ int.from_bytes(data[32:], "big")).bit_count()
    assert differing_bits(np.stack([one, other]), other).tolist() == [expected, 0]
