"""The execution provider that the environment names is used, or an error says why it cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from sketchseek import execution
from sketchseek.encoder import Encoder
from sketchseek.errors import ConfigError
from sketchseek.models.package import ModelPackage

LINES = [[[0, 10, 10], [0, 0, 5]]]


def test_the_cpu_is_the_default_and_can_be_named(tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(execution.VARIABLE, raising=False)
    expected = Encoder(tiny_model).encode_sketch(LINES)
    for name in ("", "CPUExecutionProvider"):
        monkeypatch.setenv(execution.VARIABLE, name)
        encoder = Encoder(tiny_model)
        np.testing.assert_array_equal(encoder.encode_sketch(LINES), expected)
        assert encoder._sketch.get_providers() == ["CPUExecutionProvider"]
        assert not execution.uses_gpu()


def test_what_onnxruntime_does_not_have_is_refused(tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(execution.VARIABLE, "NoSuchProvider")
    with pytest.raises(
        ConfigError, match=r"no NoSuchProvider[\s\S]*CPUExecutionProvider[\s\S]*onnxruntime-gpu"
    ) as error:
        Encoder(tiny_model).encode_sketch(LINES)
    assert error.value.subject == execution.VARIABLE


def test_a_gpu_that_cannot_be_started_is_an_error(tiny_model: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime itself goes on with the CPU then."""
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    def without_the_gpu(graph: bytes, options: Any, providers: list[str]) -> Any:
        asked.append(providers)
        return real(graph, options, providers=["CPUExecutionProvider"])

    monkeypatch.setenv(execution.VARIABLE, "CUDAExecutionProvider")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_the_gpu)
    assert execution.uses_gpu()
    with pytest.raises(ConfigError, match="CUDAExecutionProvider cannot be started"):
        Encoder(tiny_model).encode_sketch(LINES)
    assert asked == [["CUDAExecutionProvider", "CPUExecutionProvider"]]
