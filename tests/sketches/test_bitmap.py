"""Pictures of sketches to the raster: whatever the pen, paper, light and camera, the raster of the sketch itself."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageFilter

from sketchseek.errors import EmptySketchError
from sketchseek.sketches import rasterize_image, rasterize_strokes

SIZE = 160
_T = np.linspace(0, 2 * np.pi, 60)
FISH = [
    [list(40 * np.cos(_T)), list(20 * np.sin(_T))],
    [[38, 70, 62, 70, 38], [5, 25, 0, -25, -5]],
    [[-20, -15, -20], [-14, 0, 14]],
    [[-30, -26], [-5, -5]],
]
Gray = npt.NDArray[np.float32]


def sheet(
    width: int = 500, height: int = 400, *, pen: int = 4, scale: float = 3.0, at: tuple[int, int] = (0, 0)
) -> Gray:
    """The fish on a sheet, as the fraction of ink of each pixel, 0 to 1."""
    image = Image.new("L", (2 * width, 2 * height), 0)
    draw = ImageDraw.Draw(image)
    for xs, ys in FISH:
        line = [
            (2 * (width / 2 + at[0] + scale * (x - 15)), 2 * (height / 2 + at[1] + scale * y))
            for x, y in zip(xs, ys, strict=True)
        ]
        draw.line(line, fill=255, width=2 * pen, joint="curve")
        for x, y in line:
            draw.ellipse((x - pen, y - pen, x + pen, y + pen), fill=255)
    return np.asarray(np.asarray(image.reduce(2)) / 255, dtype=np.float32)


def picture(values: npt.NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def agreement(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """The smaller fraction of the ink of one that lies within three pixels of the other's."""

    def near(raster: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        return np.asarray(Image.fromarray(raster).filter(ImageFilter.MinFilter(7))) < 128

    ink_a, ink_b = a < 128, b < 128
    return float(min((ink_a & near(b)).sum() / ink_a.sum(), (ink_b & near(a)).sum() / ink_b.sum()))


def assert_fish(image: Image.Image, least: float = 0.97) -> None:
    drawn, found = rasterize_strokes(FISH, SIZE), rasterize_image(image, SIZE)
    assert found.shape == (SIZE, SIZE)
    assert agreement(drawn, found) >= least
    assert (found < 128).sum() == pytest.approx((drawn < 128).sum(), rel=0.35)  # lines as wide as those of strokes


@pytest.mark.parametrize("pen", [1, 2, 3, 5, 8])
def test_any_pen(pen: int) -> None:
    assert_fish(picture(255 - 255 * sheet(pen=pen)))


@pytest.mark.parametrize(("scale", "at"), [(1.0, (150, 120)), (1.5, (-170, -100)), (4.4, (0, 0)), (2.0, (50, -90))])
def test_any_size_and_place(scale: float, at: tuple[int, int]) -> None:
    assert_fish(picture(255 - 255 * sheet(scale=scale, at=at, pen=2)))


@pytest.mark.parametrize(
    ("paper", "ink"), [(255, 0), (0, 255), (255, 200), (255, 240), (128, 255), (128, 0), (200, 160), (20, 60)]
)
def test_any_grey_on_any_grey(paper: int, ink: int) -> None:
    assert_fish(picture(paper + (ink - paper) * sheet()))


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ("white", "yellow"),
        ("white", "cyan"),
        ("white", "red"),
        ("black", "blue"),
        ("navy", "white"),
        ("#d2b48c", "white"),
        ("#d2b48c", "black"),
        ("#fff8dc", "#4060ff"),
        ("green", "yellow"),
    ],
)
def test_any_color_on_any_color(paper: str, ink: str) -> None:
    mask = Image.fromarray((sheet() * 255).astype(np.uint8))
    image = Image.new("RGB", mask.size, paper)
    image.paste(Image.new("RGB", mask.size, ink), mask=mask)
    assert_fish(image)


@pytest.mark.parametrize("ink", ["black", "white", "orange"])
@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_ink_on_nothing(ink: str, strength: float) -> None:
    image = Image.new("RGBA", (500, 400), ink)
    image.putalpha(Image.fromarray((sheet() * 255 * strength).astype(np.uint8)))
    assert_fish(image)


def test_a_sheet_with_transparent_edges() -> None:
    image = picture(255 - 255 * sheet()).convert("RGBA")
    alpha = Image.new("L", image.size, 0)
    ImageDraw.Draw(alpha).rounded_rectangle((10, 10, 489, 389), 60, fill=255)
    image.putalpha(alpha)
    assert_fish(image)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "CMYK", "I;16", "F"])
def test_any_mode(mode: str) -> None:
    gray = picture(255 - 255 * sheet())
    if mode == "I;16":
        image = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    else:
        image = gray.convert("L").convert(mode)
    assert_fish(image)


def test_a_jpeg_of_low_quality() -> None:
    buffer = io.BytesIO()
    picture(255 - 255 * sheet()).save(buffer, "JPEG", quality=15)
    assert_fish(Image.open(buffer))


@pytest.mark.parametrize("noise", [0, 3, 6])
@pytest.mark.parametrize("contrast", [0.2, 0.5])
@pytest.mark.parametrize("table", [None, 30])
def test_a_photograph_of_a_pencil_sketch(noise: float, contrast: float, table: int | None) -> None:
    height, width = 600, 800
    y, x = np.mgrid[:height, :width]
    light = 130 + 90 * x / width * y / height
    values = light * (1 - contrast * sheet(width, height, pen=4, scale=4))
    if table is not None:
        values = np.where((x < 50 + y * 0.05) | (x > 750) | (y < 40) | (y > 560 + x * 0.02), table, values)
    values = values + np.random.default_rng(0).normal(0, noise, values.shape)
    assert_fish(picture(values), least=0.95)


@pytest.mark.parametrize("table", [70, 120, 150, 240])
def test_a_table_around_the_sheet_is_no_ink(table: int) -> None:
    y, x = np.mgrid[:600, :800]
    values = (170 + 40 * np.cos((x - 450) / 450) * np.cos((y - 150) / 450)) * (1 - 0.35 * sheet(800, 600, scale=4))
    around = (x < 75 + y * 0.1) | (x > 725 - y * 0.05) | (y < 40) | (y > 550 + x * 0.02)
    values = np.where(around, table + 10 * np.sin(y / 6 + x / 85), values)
    assert_fish(picture(values + np.random.default_rng(0).normal(0, 4, values.shape)), least=0.95)


def test_a_photograph_of_chalk_on_a_board() -> None:
    x = np.arange(800)
    values = 40 + 50 * x / 800 + 120 * sheet(800, 600, pen=4, scale=4)
    assert_fish(picture(values + np.random.default_rng(0).normal(0, 5, values.shape)), least=0.95)


def test_a_shadow_across_the_sheet() -> None:
    y, x = np.mgrid[:600, :800]
    values = 215 * (1 - 0.5 * sheet(800, 600, pen=4, scale=4)) * np.where(x + 0.5 * y > 600, 0.65, 1.0)
    assert_fish(picture(values + np.random.default_rng(0).normal(0, 3, values.shape)), least=0.93)


def test_a_frame_around_the_sheet_is_no_ink() -> None:
    values = 255 - 255 * sheet()
    values[:30], values[-30:], values[:, :25], values[:, -25:] = 0, 0, 0, 0
    assert_fish(picture(values))


@pytest.mark.parametrize(
    ("box", "fill"), [((100, 60, 400, 300), 0), ((0, 0, 499, 399), 0), ((150, 100, 300, 220), 180)]
)
def test_a_filled_area_becomes_one_outline(box: tuple[int, int, int, int], fill: int) -> None:
    image = Image.new("L", (500, 400), 255)
    ImageDraw.Draw(image).ellipse(box, fill=fill)
    half = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    outline = [[list(half[0] * np.cos(_T)), list(half[1] * np.sin(_T))]]
    assert agreement(rasterize_strokes(outline, SIZE), rasterize_image(image, SIZE)) > 0.97


def test_a_filled_area_on_photographed_paper_becomes_one_outline() -> None:
    x = np.arange(800)
    image = picture(140 + 80 * x / 800 + np.random.default_rng(0).normal(0, 4, (600, 800)))
    ImageDraw.Draw(image).ellipse((200, 150, 600, 450), fill=30)
    outline = [[list(200 * np.cos(_T)), list(150 * np.sin(_T))]]
    assert agreement(rasterize_strokes(outline, SIZE), rasterize_image(image, SIZE)) > 0.95


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_sheet(level: int) -> None:
    with pytest.raises(EmptySketchError, match="no ink"):
        rasterize_image(Image.new("RGB", (300, 200), (level, level, level)), SIZE)


def test_a_blank_sheet_photographed() -> None:
    x = np.arange(400)
    with pytest.raises(EmptySketchError, match="no ink"):
        rasterize_image(picture(120 + x / 4 + np.random.default_rng(0).normal(0, 6, (300, 400))), SIZE)


def test_nothing_but_transparency() -> None:
    with pytest.raises(EmptySketchError, match="no ink"):
        rasterize_image(Image.new("RGBA", (50, 50), (9, 9, 9, 0)), SIZE)


def test_the_picture_is_left_as_it_is() -> None:
    image = picture(255 - 255 * sheet())
    before = image.tobytes()
    rasterize_image(image, SIZE)
    assert image.tobytes() == before


small = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=60, deadline=None)
@given(
    small.flatmap(lambda shape: arrays(np.uint8, st.sampled_from([shape, (*shape, 3), (*shape, 4)]))),
    st.integers(8, 40),
)
def test_any_picture_gives_a_raster_or_has_no_ink(pixels: npt.NDArray[np.uint8], size: int) -> None:
    try:
        raster = rasterize_image(Image.fromarray(pixels), size)
    except EmptySketchError:
        return
    assert raster.shape == (size, size)
    assert raster.dtype == np.uint8
    assert raster.min() < 255
