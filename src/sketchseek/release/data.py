"""The real data and the demo's gallery side by side in one folder, under the names that experiments use."""

from __future__ import annotations

from pathlib import Path

from sketchseek.demo_gallery import prepare_gallery
from sketchseek.errors import DatasetError
from sketchseek.user_dirs import user_cache_dir


def link_data(data: Path, folder: Path, gallery: Path | None = None) -> None:
    """Make ``folder`` hold a symbolic link to each folder in ``data``, and one named ``emoji`` to the demo's gallery.

    Args:
        data: Folder with one folder for each data set.
        folder: Where the links go; existing links are replaced.
        gallery: Folder of the gallery; by default it is downloaded once by the npm client.

    Raises:
        DatasetError: ``data`` is no folder, or something other than a link is in the way.
    """
    if not data.is_dir():
        raise DatasetError("no such folder.", subject=data, remedy="Give the folder of the data sets.")
    folder.mkdir(parents=True, exist_ok=True)
    sources = {entry.name: entry.resolve() for entry in data.iterdir() if entry.is_dir()}
    sources["emoji"] = (gallery or prepare_gallery(user_cache_dir() / "gallery", say=print)).resolve()
    for name, source in sources.items():
        link = folder / name
        if link.exists() and not link.is_symlink():
            raise DatasetError("not a link.", subject=link, remedy="Move it away; this folder holds only links.")
        link.unlink(missing_ok=True)
        link.symlink_to(source)
