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


def load_exported(encoder: BranchEncoder, package: ModelPackage, branch: BranchName) -> None:
    """Load one branch of a model package into an encoder with the same backbone.

    Raises:
        ModelPackageError: A file of the package is missing or damaged.
        ConfigError: The package has another backbone, or it is quantized to INT8.
        MissingExtraError: onnx is not installed.
    """
    _check_backbone(encoder, package, branch)
    layers = _layers(package, branch)
    if not layers:
        raise ConfigError("is quantized to INT8.", subject=package.path, remedy="Use its source model package.")
    bias: Tensor | None = None  # of the last layer: its own, and that of the batch normalization behind it
    with torch.no_grad():
        for name, module in encoder.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                weight, bias = layers.pop(f"encoder.{name}.weight", (None, None))
                if weight is None:
                    continue  # the network has this layer but does not use it
                if not _copy(module, weight, bias):
                    raise _other(package, branch, f"{name} has another shape")
            elif isinstance(module, _BatchNorm) and bias is not None:
                _only_add(module, bias)
                bias = None
    if layers:
        raise _other(package, branch, f"{next(iter(layers))} has no place in it")


def _check_backbone(encoder: BranchEncoder, package: ModelPackage, branch: BranchName) -> None:
    named = package.manifest.photo if branch == "photo" else package.manifest.sketch
    if named.backbone != encoder.config.backbone:
        raise ConfigError(
            f"its {branch} encoder is {named.backbone}, not {encoder.config.backbone}.",
            subject=package.path,
            remedy=f"Set {branch}.backbone to {named.backbone}.",
        )
    # An exporter transposes and renames the weights of other layers, such as attention.
    known = (nn.Conv2d, nn.Linear, _BatchNorm)
    if any(list(each.parameters(recurse=False)) and not isinstance(each, known) for each in encoder.modules()):
        raise ConfigError(
            f"weights of {named.backbone} cannot be read from a graph.",
            subject=package.path,
            remedy="Set init_from to the run that it was exported from.",
        )


def _copy(module: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor | None) -> bool:
    """Copy a layer's weights, and its bias if it has one; return False if the shapes differ."""
    if weight.shape != module.weight.shape:
        return False
    module.weight.copy_(weight)
    if module.bias is not None and bias is not None:
        module.bias.copy_(bias)
    return True


def recalibrate_batch_norm(encoder: BranchEncoder, pixels: Tensor) -> None:
    """Set running statistics to those of the given images, (n, …) uint8, and adapt the weights.

    The output in evaluation mode does not change. In training mode, which uses the statistics of each batch, the output
    is then nearly the same; with statistics that were never measured it is not.
    """
    measured: dict[_BatchNorm, tuple[Tensor, Tensor]] = {}

    def measure(module: _BatchNorm, inputs: tuple[Tensor]) -> None:
        x = inputs[0].transpose(0, 1).flatten(1)
        measured[module] = x.mean(dim=1), x.var(dim=1, unbiased=False)

    hooks = [m.register_forward_pre_hook(measure) for m in encoder.modules() if isinstance(m, _BatchNorm)]
    was_training = encoder.training
    encoder.eval()
    with torch.no_grad():
        encoder(pixels.to(encoder.mean.device))
        for module, (mean, variance) in measured.items():
            assert module.running_mean is not None
            assert module.running_var is not None
            scale = module.weight / (module.running_var + module.eps).sqrt()
            module.bias.add_(scale * (mean - module.running_mean))
            module.weight.copy_(scale * (variance + module.eps).sqrt())
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
    for hook in hooks:
        hook.remove()
    encoder.train(was_training)


def _layers(package: ModelPackage, branch: BranchName) -> dict[str, tuple[Any, Any]]:
    """Weight and bias of each layer of a graph, by name of the weight."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "Initializing from a model package needs onnx.", remedy="pip install 'sketchseek[train]'"
        ) from error

    graph = onnx.load_from_string(package.read(branch)).graph
    values = {item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy()) for item in graph.initializer}
    for node in graph.node:  # weights are stored as fp16, each with a cast to fp32 (``export.store_half``)
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


def _other(package: ModelPackage, branch: BranchName, reason: str) -> ConfigError:
    return ConfigError(
        f"its {branch} branch differs from the experiment's ({reason}).",
        subject=package.path,
        remedy=f"Use the same backbone, and embedding: {package.manifest.dimensions}.",
    )
