"""Put the real data and the demo's gallery side by side, as the experiments name them: links in one folder.

python tools/link_data.py DATA FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from sketchseek.demo_gallery import prepare_gallery
from sketchseek.user_dirs import user_cache_dir


def main() -> None:
    """Make FOLDER hold a link to each entry of DATA, and one named emoji to the gallery."""
    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_dir():
        raise SystemExit(__doc__)
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    sources = {entry.name: entry.resolve() for entry in Path(sys.argv[1]).iterdir() if entry.is_dir()}
    sources["emoji"] = prepare_gallery(user_cache_dir() / "gallery", say=print).resolve()
    for name, source in sources.items():
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(source)


if __name__ == "__main__":
    main()
