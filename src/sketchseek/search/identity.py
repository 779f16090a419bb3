"""Which artefact a library was built with."""

from __future__ import annotations

from pathlib import Path

from sketchseek.artefact import BUNDLED, Artefact, load_artefact
from sketchseek.errors import ArtefactError, ArtefactMismatchError


def artefact_of(path: Path, facts: dict[str, str], chosen: Artefact | None = None) -> Artefact:
    """The artefact that a library was built with.

    Args:
        path: The library's folder.
        facts: What its catalogue remembers.
        chosen: The one that was asked for, if any.

    Raises:
        ArtefactError: It is not there any more.
        ArtefactMismatchError: The one there, or asked for, is another one.
    """
    try:
        artefact = chosen or load_artefact(facts["model"])
    except ArtefactError as error:
        raise ArtefactError(
            f"{path}: its model {facts['model']} is not there any more.",
            remedy=f"{error.remedy}\nTo use another one: sketchseek index --library {path} --model NAME --re-embed",
        ) from error
    if artefact.manifest.fingerprint != facts["fingerprint"]:
        raise mismatch(path, facts, artefact)
    return artefact


def mismatch(path: Path, facts: dict[str, str], artefact: Artefact) -> ArtefactMismatchError:
    """The error for an artefact that is not the one that a library was built with."""
    manifest = artefact.manifest
    return ArtefactMismatchError(
        f"{path}: built with model {facts['name']} ({facts['fingerprint']}), "
        f"not with {manifest.name} ({manifest.fingerprint}).",
        remedy=f"To embed its photos anew: sketchseek index --library {path} --model {_model_of(artefact)} --re-embed",
    )


def _model_of(artefact: Artefact) -> str:
    """What to find an artefact by later: the name of a bundled one, else its absolute path."""
    path = artefact.path.absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ArtefactError(f"{path}: a library cannot remember a path that is no valid text.") from error
    return path.name if path.parent == BUNDLED.absolute() else str(path)


def facts_of(artefact: Artefact) -> dict[str, str]:
    """What a catalogue remembers of an artefact, in its ``meta``."""
    manifest = artefact.manifest
    return {
        "model": _model_of(artefact),
        "name": manifest.name,
        "fingerprint": manifest.fingerprint,
        "embedding": str(manifest.embedding),
        "metric": manifest.metric,
    }
