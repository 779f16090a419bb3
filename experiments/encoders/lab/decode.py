"""Decode a pack's photos only: ``python -m lab.decode PACK OUT``."""

import sys
from pathlib import Path

from lab.pack import read_pack
from lab.prepare import _save

if __name__ == "__main__":
    _save(Path(sys.argv[2]) / "photos.npy", read_pack(Path(sys.argv[1])).photo_pixels(6))
