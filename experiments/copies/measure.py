"""Which copies of a photo does a perceptual hash find, and which photos does it take for copies that are none?

    python experiments/copies/measure.py --data DATA [--model small] [--out report.json]

**Protocol.** Photos of Caltech-101 and of a sample of ImageNet are divided into two halves
at random. Copies of some of them are made at a quarter of the size, at JPEG quality 20, at half the size and quality
60, and at a quarter of the size and quality 40; a mirrored one is not a copy. The threshold, in bits, is the largest
at which at most one photo in a thousand of the first half has another photo of that half for a copy. The second half
reports: how many copies are found, and how many photos have another photo for a copy. ``embedding`` is the rule for
photos without a hash, on fewer photos, since it needs the encoder. Intervals are Wilson's, of 95 %.

Caltech-101 holds copies of its own: the first run, which took them for mistakes, put the threshold at 1 bit. So all 103
pairs of photos within 24 bits were looked at, of both halves and without knowing which. ``same_pictures.txt`` lists
those that show one picture, perhaps on another background; in doubt, a pair is a mistake.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console

from sketchseek.atomic_write import atomic_write
from sketchseek.encoder import Encoder
from sketchseek.images import read_photo
from sketchseek.models.package import load_model_package
from sketchseek.search.copies import SAME
from sketchseek.search.picture_hash import HASH, Hashes, differing_bits, picture_hash

SIZE = 260
"""Side of the square that photos are squashed to, as for the model ``small``."""

ALLOWED = 0.001
LARGEST = 64

say = Console(stderr=True).print


def jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def smaller(image: Image.Image, by: int) -> Image.Image:
    width, height = image.size
    return image.resize((max(1, width // by), max(1, height // by)), Image.Resampling.LANCZOS)


KINDS: dict[str, Callable[[Image.Image], bytes]] = {
    "a quarter of the size": lambda image: jpeg(smaller(image, 4), 85),
    "JPEG quality 20": lambda image: jpeg(image, 20),
    "half the size, quality 60": lambda image: jpeg(smaller(image, 2), 60),
    "a quarter of the size, quality 40": lambda image: jpeg(smaller(image, 4), 40),
    "mirrored (not a copy)": lambda image: jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
}


def hash_of(source: Path | bytes) -> bytes:
    """Return a picture's hash, or zeros if it has none: such pictures are left out."""
    return picture_hash(read_photo(source, SIZE)) or bytes(HASH)


def hashes_of(sources: Iterable[Path | bytes]) -> Hashes:
    return np.frombuffer(b"".join(map(hash_of, sources)), np.uint8).reshape(-1, HASH)


def nearest_other(hashes: Hashes, same: Iterable[tuple[int, int]] = ()) -> npt.NDArray[np.int64]:
    """Return how many bits each of (n, 32) hashes differs from the nearest other one: (n,).

    Args:
        hashes: The hashes.
        same: Pairs of rows that show one picture: they are not compared.
    """
    nearest = np.full(len(hashes), 8 * HASH)
    skipped: dict[int, list[int]] = {}
    for one, other in same:
        skipped.setdefault(min(one, other), []).append(max(one, other))
    for row, mine in enumerate(hashes[:-1]):
        bits = differing_bits(hashes[row + 1 :], mine)
        bits[[other - row - 1 for other in skipped.get(row, [])]] = 8 * HASH
        nearest[row] = min(nearest[row], bits.min())
        nearest[row + 1 :] = np.minimum(nearest[row + 1 :], bits)
    return nearest


def same_rows(photos: Sequence[Path], names: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    """Return pairs of names, such as ``menorah/image_0014.jpg``, as rows, where both are there."""
    rows = {f"{path.parent.name}/{path.name}": row for row, path in enumerate(photos)}
    return [(rows[one], rows[other]) for one, other in names if one in rows and other in rows]


def threshold(nearest: npt.NDArray[np.int64]) -> int:
    """Return the largest number of bits at which few enough photos have another one for a copy."""
    return max(bits for bits in range(LARGEST) if (nearest <= bits).mean() <= ALLOWED)


def wilson(hits: int, total: int) -> tuple[float, float, float]:
    """Return a rate and its interval, in percent."""
    z = 1.96
    rate = hits / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    low, high = (round(100 * min(1.0, max(0.0, float(one))), 2) for one in (middle - half, middle + half))
    return round(100 * rate, 2), low, high


def copies_of(photos: Sequence[Path]) -> dict[str, list[bytes]]:
    made: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for path in photos:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        for kind, make in KINDS.items():
            made[kind].append(make(rgb))
    return made


def by_embedding(model: str, photos: Sequence[Path]) -> dict[str, tuple[float, float, float]]:
    """Return how many copies are found by the cosine of embeddings."""
    encoder = Encoder(load_model_package(model), threads=1)

    def embed(source: Path | bytes) -> npt.NDArray[np.float32]:
        embedding = encoder.encode_photo(source)
        return embedding / np.linalg.norm(embedding)

    own = np.stack([embed(path) for path in photos])
    return {
        kind: wilson(int(((np.stack([embed(one) for one in made]) * own).sum(axis=1) >= SAME).sum()), len(photos))
        for kind, made in copies_of(photos).items()
    }


def measure(
    photos: Sequence[Path],
    copied: int,
    *,
    same: Sequence[tuple[str, str]] = (),
    model: str = "",
    embedded: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure on photos.

    Args:
        photos: Their files.
        same: Names of photos that show one picture.
        copied: Number of photos of the second half to make copies of.
        model: Model of the comparison with embeddings.
        embedded: Number of these photos in that comparison.
        seed: Of the division into halves.
    """
    order = [photos[at] for at in np.random.default_rng(seed).permutation(len(photos))]
    hashes = hashes_of(order)
    keep = hashes.any(axis=1)
    order, hashes = [path for path, has in zip(order, keep, strict=True) if has], hashes[keep]
    half = len(order) // 2
    bits = threshold(nearest_other(hashes[:half], same_rows(order[:half], same)))
    nearest = nearest_other(hashes[half:], same_rows(order[half:], same))
    chosen, own = order[half : half + copied], hashes[half : half + copied]
    found = {}
    for kind, made in copies_of(chosen).items():
        theirs = hashes_of(made)
        hits = sum(int(differing_bits(theirs[row : row + 1], own[row])[0] <= bits) for row in range(len(own)))
        found[kind] = wilson(hits, len(own))
    report: dict[str, Any] = {
        "photos": len(photos),
        "without a hash": int((~keep).sum()),
        "second half": len(nearest),
        "threshold": bits,
        "copied": len(chosen),
        "found": found,
        "other photos": wilson(int((nearest <= bits).sum()), len(nearest)),
    }
    if embedded:
        report["embedding"] = {"photos": embedded, "found": by_embedding(model, chosen[:embedded])}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="small")
    parser.add_argument("--copied", type=int, default=1500)
    parser.add_argument("--embedded", type=int, default=200)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    photos = sorted((given.data / "caltech101" / "101_ObjectCategories").glob("*/*.jpg"))
    photos += sorted((given.data / "imagenet-sample").glob("*.jpg"))
    lines = (Path(__file__).parent / "same_pictures.txt").read_text().splitlines()
    same = [(one, other) for one, other in (line.split() for line in lines)]
    report = measure(photos, given.copied, same=same, model=given.model, embedded=given.embedded)
    text = json.dumps(report, indent=1)
    if given.out:
        atomic_write(given.out, f"{text}\n".encode())
    say(text)


if __name__ == "__main__":
    main()
