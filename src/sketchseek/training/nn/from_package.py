"""Load the weights of a model package into a trainable encoder.

An export folds each batch normalization into the layer before it. Here that layer gets the folded weights, and its
batch normalization only adds the bias, so the output is the same. Before such a stage trains further, call
``recalibrate_batch_norm``: it measures the batch statistics and does not change the output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sketchseek.errors import ConfigError, MissingExtraError
from sketchseek.models.package import ModelPackage
from sketchseek.training.nn.model import BranchEncoder, BranchName


def load_exported(encoder: BranchEncoder, package: ModelPackage, side: BranchName) -> None:
    """Load one side of a package into an encoder of the same network.

    Raises:
        ModelPackageError: A file of the package is missing or damaged.
        ConfigError: The package's encoder is another network, or computes in eight bits.
        MissingExtraError: onnx is not installed.
    """
    named = package.manifest.photo if side == "photo" else package.manifest.sketch
    if named.backbone != encoder.config.backbone:
        raise ConfigError(
            f"{package.path}: its {side} encoder is {named.backbone}, not {encoder.config.backbone}.",
            remedy=f"Name {named.backbone} as the {side} side's backbone.",
        )
    layers = _layers(package, side)
    if not layers:
        raise ConfigError(f"{package.path}: computes in eight bits.", remedy="Start from the package it was made from.")
    folded: Tensor | None = None
    with torch.no_grad():
        for name, module in encoder.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                weight, folded = layers.pop(f"encoder.{name}.weight", (None, None))
                if weight is None:
                    continue  # a layer that the network has and does not use
                if weight.shape != module.weight.shape:
                    raise _other(package, side, f"{name} has another shape")
                module.weight.copy_(weight)
                if module.bias is not None and folded is not None:
                    module.bias.copy_(folded)
            elif isinstance(module, _BatchNorm) and folded is not None:
                _only_add(module, folded)
                folded = None
    if layers:
        raise _other(package, side, f"{next(iter(layers))} has no place in it")


def recalibrate_batch_norm(encoder: BranchEncoder, pixels: Tensor) -> None:
    """Give batch normalizations the statistics of these pictures, (n, …) uint8, and weights that make up for them.

    In evaluation mode the encoder computes what it did; in training mode, where a batch's own statistics are taken, it
    does so nearly, which it did not with statistics that were never measured.
    """
    seen: dict[_BatchNorm, tuple[Tensor, Tensor]] = {}

    def look(module: _BatchNorm, inputs: tuple[Tensor]) -> None:
        x = inputs[0].transpose(0, 1).flatten(1)
        seen[module] = x.mean(dim=1), x.var(dim=1, unbiased=False)

    hooks = [m.register_forward_pre_hook(look) for m in encoder.modules() if isinstance(m, _BatchNorm)]
    was = encoder.training
    encoder.eval()
    with torch.no_grad():
        encoder(pixels.to(encoder.mean.device))
        for module, (mean, variance) in seen.items():
            assert module.running_mean is not None
            assert module.running_var is not None
            scale = module.weight / (module.running_var + module.eps).sqrt()
            module.bias.add_(scale * (mean - module.running_mean))
            module.weight.copy_(scale * (variance + module.eps).sqrt())
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
    for hook in hooks:
        hook.remove()
    encoder.train(was)


def _layers(package: ModelPackage, side: BranchName) -> dict[str, tuple[Any, Any]]:
    """Weight and bias of each layer of a graph, by the name of its weight."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "starting from a package needs onnx.", remedy="pip install 'sketchseek[train]'"
        ) from error

    graph = onnx.load_from_string(package.read(side)).graph
    values = {item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy()) for item in graph.initializer}
    for node in graph.node:  # weights are stored in half precision with a cast behind each (``export.store_half``)
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]].float()
    layers = {}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm") and node.input[1] in values:
            bias = values.get(node.input[2]) if len(node.input) > 2 else None
            layers[node.input[1]] = values[node.input[1]], bias
    return layers


def _only_add(module: _BatchNorm, bias: Tensor) -> None:
    assert module.running_mean is not None
    assert module.running_var is not None
    module.running_mean.zero_()
    module.running_var.fill_(1 - module.eps)
    module.weight.fill_(1)
    module.bias.copy_(bias)


def _other(package: ModelPackage, side: BranchName, reason: str) -> ConfigError:
    return ConfigError(
        f"{package.path}: its {side} encoder does not fit the experiment's ({reason}).",
        remedy=f"Its embeddings have {package.manifest.embedding} dimensions.",
    )
