"""Random damage to every kind of file: it is noticed, or harmless. Never a wrong answer, never another exception."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from search.test_crash import draw_photos
from sketchseek.encoder import Encoder
from sketchseek.errors import LibraryError, SketchseekError
from sketchseek.models.install import install_model
from sketchseek.models.package import load_model_package
from sketchseek.search.library import Library
from tiny_model import write_tiny_package

Check = Callable[[Path], object]
"""Uses a file's owner and returns its answer, which damage must not change."""


Found = tuple[list[tuple[int, str, float]], list[str], int]
"""Results with id, path and score; failures; the number of photos."""

DAMAGED = "damaged.jpg"


def _without_ids(found: Found) -> object:
    return sorted((path, score) for _, path, score in found[0]), found[1:]


def damage(path: Path, rng: random.Random) -> str:
    """Change a file at random; return how."""
    size = path.stat().st_size
    kind = rng.choice(["byte", "bytes", "block", "zeros", "cut", "grow"])
    with path.open("r+b") as file:
        place = rng.randrange(max(size, 1))
        file.seek(place)
        if kind == "byte":
            old = file.read(1) or b"\0"
            file.seek(place)
            file.write(bytes([old[0] ^ (1 << rng.randrange(8))]))
        elif kind == "bytes":
            file.write(rng.randbytes(min(rng.randrange(1, 16), max(size - place, 1))))
        elif kind == "block":
            file.write(rng.randbytes(min(4096, max(size - place, 1))))
        elif kind == "zeros":
            file.write(bytes(min(512, max(size - place, 1))))
        elif kind == "cut":
            file.truncate(place)
        else:
            file.seek(size)
            file.write(rng.randbytes(rng.randrange(1, 5000)))
    return f"{kind} at {place} of {size}"


def run(folder: Path, *, each: int, seconds: float, seed: int) -> dict[str, object]:
    """Damage every kind of file; return how many times it was noticed, harmless, wrong, or crashed."""
    rng = random.Random(seed)
    kinds = _kinds(folder)
    tally = {kind: Counter[str]() for kind in kinds}
    problems: list[str] = []
    started = time.monotonic()
    for _ in range(each):
        for kind, (source, name, check, expected) in kinds.items():
            if time.monotonic() - started > seconds:
                break
            copy = folder / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy)
            (path,) = copy.glob(name)
            how = damage(path, rng)
            outcome = _outcome(check, copy, expected)
            tally[kind][outcome.split(":")[0]] += 1
            if not outcome.startswith(("noticed", "harmless")):
                problems.append(f"{kind}, {how}: {outcome}")
    return {
        "damaged files": sum(sum(counts.values()) for counts in tally.values()),
        "by kind": {kind: dict(counts) for kind, counts in tally.items()},
        "wrong or crashed": len(problems),
        "problems": problems[:10],
    }


def _outcome(check: Check, copy: Path, expected: object) -> str:
    try:
        return "harmless" if check(copy) == expected else "wrong: another answer"
    except SketchseekError:
        return "noticed"
    except Exception as error:
        return f"crashed: {error!r}"


def _kinds(folder: Path) -> dict[str, tuple[Path, str, Check, object]]:
    model = write_tiny_package(folder / "model", name="mine").path
    draw_photos(folder / "photos", 60)
    with Library.create(folder / "sound", model) as library:
        library.add([folder / "photos"])
    with Library.create(folder / "written", model) as library:
        library.add([folder / "photos"])
        # As a killed writer leaves it: what was committed last is only in the journal.
        shutil.copytree(folder / "written", folder / "killed", ignore=shutil.ignore_patterns("*-shm"))
    shutil.copytree(folder / "killed", folder / "killed-copy")
    assert (folder / "killed" / "catalog.db-wal").stat().st_size > 10_000
    (folder / "few").mkdir()
    for file in sorted((folder / "photos").rglob("*.jpg"))[:8]:
        shutil.copy(file, folder / "few" / file.name)
    shutil.copy(folder / "few" / file.name, folder / "few" / DAMAGED)
    with zipfile.ZipFile(folder / "mine.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in model.iterdir():
            archive.write(file, file.name)
    (folder / "archive").mkdir()
    shutil.move(folder / "mine.zip", folder / "archive" / "mine.zip")
    query = np.arange(16.0)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)

    def search(path: Path) -> Found:
        with Library.open(path, create=True) as library:
            results = [(r.id, str(r.path), round(r.score, 4)) for r in library.search_embedding(query, k=100)]
            return results, [str(failure.path) for failure in library.failures()], library.status().photos

    def sync(path: Path) -> object:
        with Library.open(path) as library:
            return library.sync().unchanged, search(path)

    def journal(path: Path) -> object:
        """Search a killed writer's library. A damaged journal may undo commits, which adding the folder repeats."""
        found = search(path)
        if found == complete:
            return complete
        results, failures, _ = found
        assert all(result in complete[0] for result in results), "an answer that never was right"
        assert not failures
        with Library.open(path) as library:
            library.add([folder / "photos"])  # not a sync: the commit with the folder may be undone, too
        # Photos that are embedded again get new ids.
        assert _without_ids(search(path)) == _without_ids(complete)
        raise LibraryError("went back to an earlier commit, and was brought up to date.", subject=path)

    def photos(path: Path) -> object:
        """Index a folder with a damaged photo: it is found, or listed as a failure. All others are found as before."""
        shutil.rmtree(folder / "new", ignore_errors=True)
        with Library.create(folder / "new", model) as library:
            library.add([path])
            found = {r.path.name: round(r.score, 4) for r in library.search_embedding(query, k=100)}
            failed = {Path(failure.path).name: failure.reason for failure in library.failures()}
        assert found.keys() | failed.keys() == {file.name for file in path.iterdir()}
        assert not found.keys() & failed.keys()
        if failed:
            raise LibraryError(f"lists {failed}", subject=path)
        return sorted(score for name, score in found.items() if name != DAMAGED)

    def photo(path: Path) -> object:
        return Encoder(load_model_package(path)).encode_photo_pixels(pixels).round(5).tolist()

    def sketch(path: Path) -> object:
        return Encoder(load_model_package(path)).encode_sketch_pixels(pixels[..., 0]).round(5).tolist()

    def manifest(path: Path) -> object:
        loaded = load_model_package(path)
        loaded.verify()
        return loaded.manifest.fingerprint

    def install(path: Path) -> object:
        archive = path / "mine.zip"
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()  # as if its publisher had damaged it
        return install_model(str(archive), digest, folder=path / "models").manifest.fingerprint

    complete = search(folder / "killed-copy")
    kinds: dict[str, tuple[Path, str, Check]] = {
        "catalog's journal": (folder / "killed", "catalog.db-wal", journal),
        "lock": (folder / "sound", "writer.lock", sync),
        "photo": (folder / "few", DAMAGED, photos),
        "catalog, searched": (folder / "sound", "catalog.db", search),
        "catalog, synchronized": (folder / "sound", "catalog.db", sync),
        "index": (folder / "sound", "index/*.faiss", search),
        "index description": (folder / "sound", "index/*.json", search),
        "library.json": (folder / "sound", "library.json", sync),
        "photo graph": (model, "photo.onnx", photo),
        "sketch graph": (model, "sketch.onnx", sketch),
        "manifest": (model, "manifest.json", manifest),
        "model archive": (folder / "archive", "mine.zip", install),
    }
    ready: dict[str, tuple[Path, str, Check, object]] = {}
    for kind, (source, name, check) in kinds.items():
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        ready[kind] = (source, name, check, check(copy))
    return ready | _checkpoint(folder)


def _checkpoint(folder: Path) -> dict[str, tuple[Path, str, Check, object]]:
    try:
        import torch

        from sketchseek.training.checkpoint import best_weights
        from sketchseek.training.sealed_tensors import write_tensors
    except ImportError:
        return {}
    (folder / "run").mkdir()
    write_tensors(folder / "run" / "best.safetensors", {"weight": torch.arange(3000.0)})

    def load(path: Path) -> object:
        return best_weights(path)["weight"].tolist()

    return {"checkpoint": (folder / "run", "best.safetensors", load, load(folder / "run"))}


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        result = run(Path(name), each=20, seconds=60, seed=int.from_bytes(os.urandom(4), "big"))
        print(json.dumps(result, indent=2))  # noqa: T201
