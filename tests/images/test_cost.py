"""What decoding costs, and pictures that ask for too much of it."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import pytest
from PIL import Image

import hostile_files as make
import hostile_requests as requests
from sketchseek.errors import ImageTooLargeError
from sketchseek.images import conversion, examine, open_image, read_header
from sketchseek.images.cost import LARGE_BYTES, MAX_BYTES, MAX_FRAMES, MAX_SCANS, count_scans, one_large_decode


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("options", "scans"), [({}, 1), ({"progressive": True}, 10), ({"exif": b""}, 1)])
def test_scans_of_ordinary_jpegs(options: dict[str, object], scans: int) -> None:
    file = io.BytesIO(jpeg(**options))
    file.seek(5)
    assert (count_scans(file, MAX_SCANS), file.tell()) == (scans, 5)
    assert count_scans(file, 0) == 1  # stops as soon as there are too many


def test_scans_in_a_thumbnail_do_not_count_beyond_the_limit() -> None:
    thumbnail = b"Exif\0\0" + jpeg()[:500].replace(b"\xff\xd8", b"") + b"\xff\xda" * 200
    data = jpeg(progressive=True)
    data = data[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]
    assert count_scans(io.BytesIO(data), 20) == 10
    assert open_image(data).size == (120, 90)


@pytest.mark.parametrize("junk", [b"", b"\0\0junk", b"\xff\xff\xff", b"\xff\x00"])
def test_scans_are_counted_behind_junk(junk: bytes) -> None:
    data = requests.progressive_jpeg(64, 64, scans=0)
    end = data.rindex(b"\xff\xd9")
    scan = data[data.rindex(b"\xff\xda") : end]
    hostile = data[:end] + (junk + scan) * 150 + data[end:]
    assert count_scans(io.BytesIO(hostile), MAX_SCANS) > MAX_SCANS
    with pytest.raises(ImageTooLargeError, match="scans"):
        open_image(hostile)


def test_a_jpeg_of_many_scans_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = [requests.progressive_jpeg(), requests.progressive_jpeg(scans=40)]
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    for data in hostile:
        with pytest.raises(ImageTooLargeError, match="too many scans"):
            open_image(data, at_least=224)


@pytest.mark.slow
def test_memory_is_capped_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
        for data in (requests.webp_of_one_color(), make.png(13_000, 15_000, color=4, depth=16)):
            with pytest.raises(ImageTooLargeError, match=r"takes .* MB, more than the cap of"):
                open_image(data, at_least=224, max_bytes=700_000_000)
    # Sixteen bytes for each pixel of a WebP, four for others; a JPEG at reduced size takes less.
    photo = Image.new("RGB", (4000, 3000))
    costs = {}
    for kind in ("WEBP", "PNG", "JPEG"):
        buffer = io.BytesIO()
        photo.save(buffer, kind)
        costs[kind] = examine(buffer.getvalue(), at_least=224).memory
    assert costs["WEBP"] > 15 * 12e6 > 4 * costs["PNG"] / 1.2 > 16 * costs["JPEG"]


def test_the_header_of_a_png_is_read_without_decoding_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes()
    first = make.png(30, 20, color=2, pixels=b"\0" * 91 * 20, extra=make._chunk(b"eXIf", block))
    plain = make.png(30, 20, color=2, pixels=b"\0" * 91 * 20)
    last = plain[:-12] + make._chunk(b"eXIf", block) + plain[-12:]
    assert [open_image(data).size for data in (first, last, plain)] == [(20, 30), (20, 30), (30, 20)]
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    found = [read_header(data) for data in (first, last, plain)]
    assert [(one.width, one.height) for one in found] == [(20, 30), (20, 30), (30, 20)]


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr"])
@pytest.mark.parametrize("keep_alpha", [False, True])
def test_strips_give_what_the_whole_gives(mode: str, keep_alpha: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shade = np.linspace(0, 255, 300, dtype=np.uint8)
    picture = Image.fromarray(np.add.outer(shade // 2, shade // 2).astype(np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    elif mode in ("LA", "RGBA"):
        picture = picture.convert(mode)
        picture.putalpha(Image.fromarray(np.tile(shade, (300, 1))))
    else:
        picture = picture.convert(mode)
    for at_least in (None, 30):
        whole = np.asarray(open_image(picture, at_least=at_least, keep_alpha=keep_alpha))
        with monkeypatch.context() as patch:
            patch.setattr(conversion, "_STRIP", 7_000)
            strips = np.asarray(open_image(picture, at_least=at_least, keep_alpha=keep_alpha))
        if at_least is None:
            assert np.array_equal(whole, strips)
        else:  # reduced before or after the conversion
            small = Image.fromarray(whole).resize(strips.shape[1::-1], Image.Resampling.BOX)
            assert strips.shape[:2] == (100, 100)
            assert np.abs(np.asarray(small).astype(int) - strips).mean() < (8 if mode == "1" else 2)


def test_large_pictures_are_decoded_one_at_a_time() -> None:
    inside, most = 0, 0
    lock = threading.Lock()

    def work(cost: int) -> None:
        nonlocal inside, most
        with one_large_decode(cost):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with lock:
                inside -= 1

    for cost, expected in ((LARGE_BYTES + 1, 1), (LARGE_BYTES, 4)):
        most = 0
        threads = [threading.Thread(target=work, args=(cost,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == 1 if expected == 1 else most > 1
    assert MAX_BYTES > LARGE_BYTES


@pytest.mark.parametrize(
    ("data", "work"),
    [
        (jpeg(), 120 * 90),
        (jpeg(progressive=True), 10 * 120 * 90),
        (make.picture("PNG", 64, 48), 64 * 48),
        (make.picture("WEBP", 64, 48), 64 * 48),
        (make.picture("TIFF", 64, 48), 64 * 48),
        (make.picture("GIF", 64, 48), MAX_FRAMES * 64 * 48),
        (make.picture("AVIF", 64, 48), float("inf")),
    ],
)
def test_work_counts_what_a_decoder_passes_over(data: bytes, work: float) -> None:
    assert examine(data, at_least=32).work == work


def test_work_counts_the_frames_of_animations_and_does_not_trust_pages() -> None:
    frames = [Image.new("RGB", (50, 40), color) for color in ("white", "red")]
    work = {}
    for kind in ("PNG", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
        work[kind] = examine(buffer.getvalue(), at_least=32).work
    assert work == {"PNG": MAX_FRAMES * 2000, "WEBP": MAX_FRAMES * 2000, "TIFF": float("inf")}
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", compression="jpeg")
    assert examine(buffer.getvalue(), at_least=32).work == float("inf")


def test_a_baseline_jpeg_is_not_searched_for_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg() + b"\xff\xda" * 1000  # behind its end
    file = io.BytesIO(data)
    monkeypatch.setattr("sketchseek.images.cost._HEAD", 800)
    assert count_scans(file, 20) == 1
    assert file.tell() == 0


def test_pages_of_a_tiff_are_checked_one_by_one() -> None:
    """A blank first page, and a second one that is too large: the first one is shown."""
    small, large = Image.new("L", (40, 30), 255), Image.linear_gradient("L").resize((500, 400))
    buffer = io.BytesIO()
    small.save(buffer, "TIFF", save_all=True, append_images=[large])
    data = buffer.getvalue()
    assert open_image(data, max_pixels=2000).size == small.size
    assert open_image(data, max_bytes=10_000).size == small.size
    assert open_image(data).size == large.size


def test_pictures_behind_the_first_one_of_a_jpeg_are_not_decoded() -> None:
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 255).save(buffer, "MPO", save_all=True, append_images=[Image.linear_gradient("L")])
    image = open_image(buffer.getvalue())
    assert (image.size, image.getextrema()) == ((64, 64), ((255, 255),) * 3)
