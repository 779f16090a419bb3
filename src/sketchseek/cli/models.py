"""The command that lists, installs, pushes and pulls models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketchseek.cli.output import json_option
from sketchseek.errors import ModelPackageError
from sketchseek.shown import shown

if TYPE_CHECKING:
    from sketchseek.models.package import ModelPackage


@click.command("models")
@json_option
@click.option("--install", "archive", metavar="ZIP", help="First install a model from this file or https address.")
@click.option("--sha256", help="The archive's checksum, which --install needs.")
@click.option(
    "--pull", metavar="OWNER/NAME", help="First install a model from this repository of the Hugging Face Hub."
)
@click.option(
    "--revision",
    default="main",
    show_default=True,
    help="Branch, tag or commit for --pull. Only a commit stays the same.",
)
@click.option("--fingerprint", default="", help="Fingerprint that the model of --pull must have.")
@click.option("--push", metavar="OWNER/NAME", help="Send the one MODEL to this repository of the Hugging Face Hub.")
@click.option("--public", is_flag=True, help="With --push, create the repository for everybody to see.")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
def models_command(
    models: tuple[str, ...],
    archive: str | None,
    sha256: str | None,
    pull: str | None,
    revision: str,
    fingerprint: str,
    push: str | None,
    public: bool,
    as_json: bool,
) -> None:
    """List the models that are here, or the packages at paths: size, scores, license; and check their checksums.

    Exits with 1 where a checksum is wrong. Nothing is fetched but what --install or --pull names, and nothing is sent
    without --push. --pull and --push use the token of `hf auth login`, if there is one.

    \b
    Examples:
      sketchseek models
      sketchseek models runs/mine/package --json
      sketchseek models --install https://example.org/large.zip --sha256 9f86d081884c7d65...
      sketchseek models --pull somebody/large --revision 4f2a9c...
      sketchseek models runs/mine/package --push me/mine
    """
    from sketchseek.models.install import sweep
    from sketchseek.models.package import bundled_models, installed_models, load_model_package

    sweep()
    if archive:
        models = (*models, str(_install(archive, sha256, quiet=as_json)))
    if pull:
        models = (*models, str(_pull(pull, revision, fingerprint, quiet=as_json)))
    if push:
        _push(models, push, public)
    described = [_describe(load_model_package(model)) for model in models or [*bundled_models(), *installed_models()]]
    if as_json:
        click.echo(json.dumps(described, indent=2))
    elif not described:
        click.echo("No models are bundled with this installation.", err=True)
    else:
        for model in described:
            click.echo(shown(_described(model), lines=True))
    if not all(model["ok"] for model in described):
        sys.exit(1)


def _pull(repository: str, revision: str, fingerprint: str, *, quiet: bool) -> Path:
    """Install a model from the Hub; returns its folder. Names the commit, since only that stays the same."""
    from sketchseek.cli.progress import stage_bars
    from sketchseek.models.hub import pull_model

    if quiet:
        package, commit = pull_model(repository, revision=revision, fingerprint=fingerprint)
    else:
        with stage_bars() as progress:
            package, commit = pull_model(repository, revision=revision, fingerprint=fingerprint, progress=progress)
    click.echo(f"Installed {shown(repository)} at commit {shown(commit)}.", err=True)
    return package.path


def _push(models: tuple[str, ...], repository: str, public: bool) -> None:
    from sketchseek.models.hub import push_model

    if len(models) != 1:
        raise click.UsageError("--push needs exactly one MODEL.")
    pushed = push_model(models[0], repository, public=public)
    click.echo(f"Sent {', '.join(pushed.files)} to {shown(pushed.address)}, commit {shown(pushed.commit)}.", err=True)


def _install(archive: str, sha256: str | None, *, quiet: bool) -> Path:
    """Install an archive with a bar on stderr; returns the model's folder."""
    from sketchseek.cli.progress import download_bar
    from sketchseek.models.install import install_model

    if not sha256:
        raise click.UsageError("--install needs --sha256, the checksum that the archive's publisher gives.")
    with download_bar(quiet=quiet) as progress:
        return install_model(archive, sha256, progress=progress).path


def _describe(package: ModelPackage) -> dict[str, Any]:
    manifest = package.manifest
    try:
        package.verify()
        problem = ""
    except ModelPackageError as error:
        problem = error.message
    return {
        "name": manifest.name,
        "path": str(package.path),
        "fingerprint": manifest.fingerprint,
        "bytes": sum(file.stat().st_size for file in package.path.iterdir() if file.is_file()),
        "dimensions": manifest.dimensions,
        "distance": manifest.distance,
        "raster": manifest.raster,
        "photo": {"backbone": manifest.photo.backbone, "size": manifest.photo.size},
        "sketch": {"backbone": manifest.sketch.backbone, "size": manifest.sketch.size},
        "parameters": manifest.photo.parameters + manifest.sketch.parameters,
        "scores": manifest.scores,
        "data": manifest.data,
        "license": manifest.license,
        "ok": not problem,
        "problem": problem,
    }


def _described(model: dict[str, Any]) -> str:
    lines = [
        f"{model['name']}  ({model['bytes'] / 1e6:.1f} MB, {model['parameters'] / 1e6:.1f} M parameters, "
        f"{model['dimensions']} dimensions, {model['distance']})",
        f"  photos    {model['photo']['backbone']}, {model['photo']['size']} px",
        f"  sketches  {model['sketch']['backbone']}, {model['sketch']['size']} px",
        *(f"  score     {protocol}: {_scores(score)}" for protocol, score in model["scores"].items()),
        *(f"  data      {source}" for source in model["data"]),
        f"  license   {model['license'] or 'not given'}",
        f"  checksums {'as in the manifest' if model['ok'] else model['problem']}",
    ]
    return "\n".join(lines)


def _scores(score: Any) -> str:
    if not isinstance(score, dict):
        return str(score)
    return ", ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in score.items()
    )
