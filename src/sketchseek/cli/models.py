"""The command that lists the bundled models."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from sketchseek.artefact import Artefact, bundled_models, load_artefact
from sketchseek.errors import ArtefactError


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on standard output.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
def models_command(models: tuple[str, ...], as_json: bool) -> None:
    """List the bundled models, or the artefacts at paths: size, scores, licence; and check their checksums.

    Exits with 1 where a checksum is wrong.

    \b
    Examples:
      sketchseek models
      sketchseek models runs/mine/artefact --json
    """
    described = [_describe(load_artefact(model)) for model in models or bundled_models()]
    if as_json:
        click.echo(json.dumps(described, indent=2))
    elif not described:
        click.echo("No models are bundled with this installation.", err=True)
    else:
        for model in described:
            click.echo(_shown(model))
    if not all(model["ok"] for model in described):
        sys.exit(1)


def _describe(artefact: Artefact) -> dict[str, Any]:
    manifest = artefact.manifest
    try:
        artefact.verify()
        problem = ""
    except ArtefactError as error:
        problem = error.message
    return {
        "name": manifest.name,
        "path": str(artefact.path),
        "fingerprint": manifest.fingerprint,
        "bytes": sum(file.stat().st_size for file in artefact.path.iterdir() if file.is_file()),
        "embedding": manifest.embedding,
        "metric": manifest.metric,
        "raster": manifest.raster,
        "photo": {"backbone": manifest.photo.backbone, "size": manifest.photo.size},
        "sketch": {"backbone": manifest.sketch.backbone, "size": manifest.sketch.size},
        "parameters": manifest.photo.parameters + manifest.sketch.parameters,
        "scores": manifest.scores,
        "data": manifest.data,
        "licence": manifest.licence,
        "ok": not problem,
        "problem": problem,
    }


def _shown(model: dict[str, Any]) -> str:
    lines = [
        f"{model['name']}  ({model['bytes'] / 1e6:.1f} MB, {model['parameters'] / 1e6:.1f} M parameters, "
        f"{model['embedding']} dimensions, {model['metric']})",
        f"  photos    {model['photo']['backbone']}, {model['photo']['size']} px",
        f"  drawings  {model['sketch']['backbone']}, {model['sketch']['size']} px",
        *(f"  score     {protocol}: {_scores(score)}" for protocol, score in model["scores"].items()),
        *(f"  data      {source}" for source in model["data"]),
        f"  licence   {model['licence'] or 'not given'}",
        f"  checksums {'as in the manifest' if model['ok'] else model['problem']}",
    ]
    return "\n".join(lines)


def _scores(score: Any) -> str:
    if not isinstance(score, dict):
        return str(score)
    return ", ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in score.items()
    )
