"""Build the packages and check them the way users get them, in clean environments.

    python tools/release_check.py                                   build, and check contents and metadata
    python tools/release_check.py --python 3.11 --python 3.12       also install the wheel and try it on these versions
    python tools/release_check.py --python 3.11 --tests             also run the source distribution's own tests there

A version names a program ``pythonX.Y`` on the path, or a version that pyenv has. The tests run with torch only with
``--train``; without it, the tests of the training half are skipped. Results are printed, and written to
``dist/release-check.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
DIST = REPOSITORY / "dist"

IN_WHEEL = ("sketchseek/models/bundled/small/photo.onnx", "sketchseek/web/index.html", "sketchseek/py.typed")
IN_SDIST = ("README.md", "LICENSE", "pyproject.toml", "tests/conftest.py", "docs/generate.py", "tools/release_check.py")
NOT_IN_SDIST = re.compile(r"^(runs|dist|\.venv|\.git|web-build/node_modules|docs/measured/ablations)/")


def build() -> tuple[Path, Path]:
    """Build the source distribution, and the wheel from it; return their paths."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", cwd=REPOSITORY)
    (sdist,) = DIST.glob("*.tar.gz")
    # From the unpacked source distribution, as an installer without a wheel does.
    with tempfile.TemporaryDirectory() as folder:
        source = unpack(sdist, Path(folder))
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(DIST), cwd=source)
    (wheel,) = DIST.glob("*.whl")
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Check that the packages hold what they must, and nothing that they must not."""
    names = zipfile.ZipFile(wheel).namelist()
    if missing := [name for name in IN_WHEEL if name not in names]:
        raise SystemExit(f"The wheel lacks {', '.join(missing)}.")
    with tarfile.open(sdist) as archive:
        inside = [name.partition("/")[2] for name in archive.getnames()]
    if missing := [name for name in IN_SDIST if name not in inside]:
        raise SystemExit(f"The source distribution lacks {', '.join(missing)}.")
    if unwanted := [name for name in inside if NOT_IN_SDIST.match(name)]:
        raise SystemExit(f"The source distribution holds {', '.join(unwanted[:5])}.")
    if linked := [name for name in names if "/tests/" in name]:
        raise SystemExit(f"The wheel holds {', '.join(linked[:5])}.")


def try_wheel(python: str, wheel: Path) -> dict[str, Any]:
    """Install the wheel in a clean environment, and index, search and check the sample photos in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        started = time.monotonic()
        environment = new_environment(python, home / "env")
        run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", str(wheel))
        installed = time.monotonic() - started
        empty = home / "empty"
        empty.mkdir()
        program = environment / "bin" / "sketchseek"
        variables = clean_variables(home)
        run(program, "demo", "--sample", "--json", cwd=empty, env=variables)
        library = ("--library", "photos.library")
        run(program, "index", "photos", *library, cwd=empty, env=variables)
        found = json.loads(run(program, "search", "cat.png", *library, "--json", cwd=empty, env=variables))
        run(program, "verify", *library, cwd=empty, env=variables)
        torch = subprocess.run([environment / "bin" / "python", "-c", "import torch"], capture_output=True, check=False)
        return {"install_seconds": round(installed, 1), "results": len(found), "has_torch": torch.returncode == 0}


def run_tests(python: str, sdist: Path, *, train: bool, workers: int, markers: str) -> dict[str, Any]:
    """Unpack the source distribution, install it with its test requirements in a clean environment, run its tests."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)  # some tests start processes of another user, who must be able to read the package
        source = unpack(sdist, home)
        environment = new_environment(python, home / "env")
        extras = "dev,heic,train" if train else "dev,heic"
        # Editable: the tests of the page and of the documents compare files of the source tree with the package.
        run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--editable", f"{source}[{extras}]")
        command: list[str | Path] = [
            environment / "bin" / "python",
            "-m",
            "pytest",
            "-rfERs",
            "--reruns=1",  # as in CI: this machine may be busy, and many tests use real servers and a browser
            "-p",
            "no:cacheprovider",
        ]
        command += ["--numprocesses", str(workers), "--dist", "loadfile", "-m", markers]
        variables = clean_variables(home) | {"OMP_NUM_THREADS": "1"}
        log = DIST / f"tests-{python}.log"
        with log.open("w", encoding="utf-8") as out:  # to follow a run that takes long
            done = subprocess.run(command, cwd=source, env=variables, stdout=out, stderr=out, check=False)
        lines = log.read_text(encoding="utf-8").splitlines()
        summary = next((line for line in reversed(lines) if re.search(r"\d+ passed", line)), "")
        return {
            "tests": summary.strip("= "),
            "failed": [line for line in lines if line.startswith(("FAILED ", "ERROR "))],
            "train": train,
            "markers": markers,
            "passed": done.returncode == 0,
            "log": str(log),
        }


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack a source distribution; return its top folder."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def new_environment(python: str, folder: Path) -> Path:
    """Make a virtual environment without access to any other package; return its folder."""
    run(interpreter(python), "-m", "venv", str(folder))
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    return folder


def interpreter(version: str) -> Path:
    """Return the program of a Python version, such as 3.12."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for folder in sorted(pyenv.glob(f"{version}.*")):
        if (folder / "bin" / "python").is_file():
            return folder / "bin" / "python"
    if found := shutil.which(f"python{version}"):
        return Path(found)
    raise SystemExit(f"There is no Python {version}.")


def clean_variables(home: Path) -> dict[str, str]:
    """The environment variables of a user who has never run sketchseek."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SKETCHSEEK", "XDG_", "PYTHON"))}
    for name in ("SKETCHSEEK_DATA",):  # real data may be used where it is
        if name in os.environ:
            kept[name] = os.environ[name]
    return kept | {"HOME": str(home)}


def run(*command: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return its standard output; end with its errors if it fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Run the checks; return 1 if tests fail."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="X.Y", help="A version; repeat for several.")
    parser.add_argument("--tests", action="store_true", help="Run the source distribution's tests.")
    parser.add_argument("--train", action="append", default=[], metavar="X.Y", help="Run them with torch here.")
    parser.add_argument("--workers", type=int, default=2, help="Processes of a test run.")
    parser.add_argument("--markers", default="", help="Only tests with these markers, such as 'not browser'.")
    options = parser.parse_args()
    sdist, wheel = build()
    check_contents(sdist, wheel)
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    results: dict[str, dict[str, Any]] = {path.name: {"bytes": path.stat().st_size} for path in (sdist, wheel)}
    for python in options.python:
        results[python] = try_wheel(python, wheel)
        if options.tests:
            train = python in options.train
            results[python] |= run_tests(python, sdist, train=train, workers=options.workers, markers=options.markers)
        sys.stdout.write(json.dumps({python: results[python]}) + "\n")
        sys.stdout.flush()
    (DIST / "release-check.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return int(any(not result.get("passed", True) for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
