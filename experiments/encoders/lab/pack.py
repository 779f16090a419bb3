"""All training material in one small folder: photos as WebP at the encoder's size, sketches as compressed polylines.

``index.json`` names everything; ``photos.bin`` and ``sketches.bin`` hold the bytes. A sketch that was a picture is
stored as its skeleton (``lab.vectorize``), one that was strokes as these.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lab.records import Sources, evaluation_photos, load_sources
from lab.split import ValidationSplit, groups_of, make_split
from lab.vectorize import pack_lines, skeleton_of, unpack_lines
from lab.words import imagenet_synsets
from sketchseek.datasets.records import Photo, Sketch
from sketchseek.datasets.same_pictures import require_no_same_pictures
from sketchseek.datasets.sketchy import invalid_sketches
from sketchseek.datasets.splits import fraction_of
from sketchseek.errors import InputError
from sketchseek.images import read_photo
from sketchseek.training.polylines import Polylines, polylines_of

SIZE = 224
QUALITY = 82


@dataclass
class Pack:
    """What a packed folder holds.

    Attributes:
        photo_keys, photo_words, photo_subset: Of each photo; a subset is train, drawn, distractor or chairs.
        photo_classes: ImageNet class index where the source says it, else -1.
        sketch_keys, sketch_words, sketch_subset: Of each sketch; a subset is train, drawn, chairs or word.
        sketch_photo: Position of its photo, or -1.
        sketch_is_picture: Whether its polylines are a skeleton.
        sketch_invalid: Names of the release's lists of invalid sketches that it is on, joined by commas.
        lines: Polylines of each sketch.
    """

    folder: Path
    photo_keys: list[str]
    photo_words: list[str]
    photo_subset: list[str]
    photo_classes: list[int]
    photo_offsets: list[int]
    sketch_keys: list[str]
    sketch_words: list[str]
    sketch_subset: list[str]
    sketch_photo: list[int]
    sketch_is_picture: list[bool]
    sketch_invalid: list[str]
    sketch_offsets: list[int]
    split_sha256: str
    lines: list[Polylines] = field(default_factory=list, repr=False)

    def photo_pixels(self, workers: int = 0) -> npt.NDArray[np.uint8]:
        """(photos, SIZE, SIZE, 3) uint8."""
        data = b"".join(file.read_bytes() for file in sorted(self.folder.glob("photos*.bin")))
        parts = [data[a:b] for a, b in zip(self.photo_offsets, self.photo_offsets[1:], strict=False)]
        out = np.empty((len(parts), SIZE, SIZE, 3), dtype=np.uint8)
        if workers:
            with ProcessPoolExecutor(workers) as pool:
                for i, pixels in enumerate(pool.map(_decode, parts, chunksize=64)):
                    out[i] = pixels
        else:
            for i, part in enumerate(parts):
                out[i] = _decode(part)
        return out


def read_pack(folder: Path) -> Pack:
    """Open a packed folder."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    pack = Pack(folder=folder, **index)
    data = (folder / "sketches.bin").read_bytes()
    pack.lines = [unpack_lines(data[a:b]) for a, b in zip(pack.sketch_offsets, pack.sketch_offsets[1:], strict=False)]
    return pack


def write_pack(root: Path, folder: Path, split_file: Path, workers: int = 1, limit: int = 0) -> None:
    """Read all sources below ``root``, check them for copies of evaluation photos, split them and pack them.

    Raises:
        DatasetError: A training photo is on a test list, or is a copy of an evaluation photo, mirrored ones included.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = load_sources(root)
    # The photos of PACS are crops of photos that are also in Caltech; a check by pixels cannot vouch for them.
    sources = Sources([p for p in sources.photos if not p.key.startswith("pacs/")], sources.sketches)
    # Clothing is one photo in three of all; a third of it is enough.
    sources.photos[:] = [p for p in sources.photos if not p.key.startswith("clothing/") or fraction_of(p.key) < 1 / 3]
    require_no_same_pictures(sources.photos, evaluation_photos(root))
    split = make_split(sources, groups_of(sources.photos))
    split.write(split_file)
    dropped = set(split.dropped)
    photos = [p for p in sources.photos if p.key not in dropped]
    sketches = [s for s in sources.sketches if s.photo not in dropped]
    if limit:
        photos = [p for i, p in enumerate(photos) if i % limit == 0 or p.key in split.drawn]
        keep = {p.key for p in photos}
        sketches = [s for i, s in enumerate(sketches) if (i % limit == 0 or s.photo) and (s.photo or "") in keep | {""}]
    offsets, kept_photos = _write(folder / "photos.bin", photos, _encode_photo, workers)
    sketch_offsets, kept_sketches = _write(folder / "sketches.bin", sketches, _encode_sketch, workers)
    place = {photo.key: i for i, photo in enumerate(kept_photos)}
    synset = {name: i for i, name in enumerate(imagenet_synsets())}
    # The release's lists name sketches without their category.
    invalid = {
        name: {key.rpartition("/")[2] for key in keys} for name, keys in invalid_sketches(root / "sketchy").items()
    }
    index = {
        "photo_keys": [p.key for p in kept_photos],
        "photo_words": [p.category for p in kept_photos],
        "photo_subset": [photo_subset(p.key, split) for p in kept_photos],
        "photo_classes": [
            synset.get(p.path.name.split("_")[0], -1) if p.key.startswith("imagenet/") else -1 for p in kept_photos
        ],
        "photo_offsets": offsets,
        "sketch_keys": [s.key for s in kept_sketches],
        "sketch_words": [s.category for s in kept_sketches],
        "sketch_subset": [sketch_subset(s, split) for s in kept_sketches],
        "sketch_photo": [place[s.photo] if s.photo else -1 for s in kept_sketches],
        "sketch_is_picture": [s.strokes is None for s in kept_sketches],
        "sketch_invalid": [
            ",".join(name for name, keys in invalid.items() if s.key.rpartition("/")[2] in keys) for s in kept_sketches
        ],
        "sketch_offsets": sketch_offsets,
        "split_sha256": split.sha256,
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def photo_subset(key: str, split: ValidationSplit) -> str:
    """Which subset a photo is in."""
    for name in ("drawn", "distractors", "chairs"):
        if key in getattr(split, name):
            return {"distractors": "distractor"}.get(name, name)
    return "train"


def sketch_subset(sketch: Sketch, split: ValidationSplit) -> str:
    """Which subset a sketch is in: that of its photo."""
    if sketch.photo:
        return photo_subset(sketch.photo, split)
    return "word" if sketch.key in split.word_sketches else "train"


def _write(file: Path, items: list, encode, workers: int) -> tuple[list[int], list]:  # type: ignore[type-arg]
    offsets, kept = [0], []
    with file.open("wb") as out, ProcessPoolExecutor(workers) as pool:
        for item, data in zip(items, pool.map(encode, items, chunksize=32), strict=True):
            if data is None:
                print(f"skipped {item.key}", file=sys.stderr)
                continue
            out.write(data)
            offsets.append(offsets[-1] + len(data))
            kept.append(item)
    return offsets, kept


def _encode_photo(photo: Photo) -> bytes | None:
    try:
        pixels = read_photo(photo.path, SIZE)
    except InputError:
        return None
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def _encode_sketch(sketch: Sketch) -> bytes | None:
    try:
        if sketch.strokes is not None:
            lines: Iterable = [np.array(stroke[:2], dtype=np.float64).T for stroke in sketch.strokes if len(stroke[0])]
        else:
            with Image.open(sketch.path) as image:
                lines = polylines_of(skeleton_of(image.convert("RGB")))
        return pack_lines(list(lines))
    except (InputError, OSError, ValueError):
        return None


def _decode(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


if __name__ == "__main__":
    write_pack(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), workers=int(sys.argv[4]))
