"""Where the encoders run: on the CPU, or on what ``$SKETCHSEEK_EXECUTION_PROVIDER`` names, such as a GPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sketchseek.errors import ConfigError

if TYPE_CHECKING:
    import onnxruntime

VARIABLE = "SKETCHSEEK_EXECUTION_PROVIDER"
CPU = "CPUExecutionProvider"
ON_GPU = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "ROCMExecutionProvider", "MIGraphXExecutionProvider")


def provider() -> str:
    """Return the name of the execution provider of onnxruntime that is asked for."""
    return os.environ.get(VARIABLE) or CPU


def uses_gpu() -> bool:
    """Return whether the encoders are to run on a GPU."""
    return provider() in ON_GPU


def open_session(graph: bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    """Open a graph on the execution provider that is asked for. What it cannot run is run on the CPU.

    Raises:
        ConfigError: This machine does not have the provider, or cannot start it.
        Exception: onnxruntime cannot open the graph.
    """
    import onnxruntime

    wanted = provider()
    available = onnxruntime.get_available_providers()
    if wanted not in available:
        raise ConfigError(
            f"onnxruntime has no {wanted} here.",
            subject=VARIABLE,
            remedy=f"Use one of {', '.join(available)}. For NVIDIA GPUs, replace the package onnxruntime by "
            "onnxruntime-gpu[cuda,cudnn].",
        )
    if wanted in ON_GPU and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # the libraries of CUDA that pip has installed
    session = onnxruntime.InferenceSession(graph, options, providers=list(dict.fromkeys([wanted, CPU])))
    if wanted not in session.get_providers():  # onnxruntime goes on with the CPU, many times slower
        raise ConfigError(
            f"{wanted} cannot be started.",
            subject=VARIABLE,
            remedy="Check the driver, and that the container or the process may use the device.",
        )
    return session
