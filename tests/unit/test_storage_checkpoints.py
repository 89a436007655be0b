"""Checkpoints come back exactly, and damaged ones are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from volumetric.detection.centernet import CenterNet
from volumetric.detection.model import DetectorSettings, load_detector, save_adapted, save_detector
from volumetric.errors import InputError
from volumetric.points.linking import LinkSettings
from volumetric.points.reliability import Logistic
from volumetric.storage.checkpoints import read_checkpoint, write_checkpoint

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.int64([7])}


def test_weights_and_header_come_back(tmp_path):
    digest = write_checkpoint(tmp_path / "m.safetensors", TENSORS, {"threshold": 0.3, "note": {"x": [1, 2]}})
    tensors, header = read_checkpoint(tmp_path / "m.safetensors")
    assert header["sha256"] == digest
    assert header["threshold"] == 0.3
    assert header["note"] == {"x": [1, 2]}
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == array.dtype
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_files_are_refused(tmp_path, keep):
    path = tmp_path / "m.safetensors"
    write_checkpoint(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="safetensors"):
        read_checkpoint(path)


def test_changed_weights_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    write_checkpoint(path, TENSORS, {})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="sha256"):
        read_checkpoint(path)


def test_a_changed_header_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    write_checkpoint(path, TENSORS, {"threshold": 0.3})
    _, header = read_checkpoint(path)
    save_file(load_file(path), path, metadata={"header": json.dumps({**header, "threshold": 0.1})})
    with pytest.raises(InputError, match="sha256"):
        read_checkpoint(path)


@pytest.mark.parametrize("metadata", [None, {"header": "no json"}, {"header": "[1]"}, {"header": "{}"}])
def test_other_safetensors_are_refused(tmp_path, metadata):
    save_file(TENSORS, tmp_path / "m.safetensors", metadata=metadata)
    with pytest.raises(InputError):
        read_checkpoint(tmp_path / "m.safetensors")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        read_checkpoint(tmp_path / "nothing.safetensors")


def test_a_detector_comes_back_and_answers_the_same(tmp_path):
    torch.manual_seed(1)
    network = CenterNet((4, 6), 2, 1)
    network(torch.randn(4, 3, 32, 32))
    chosen = DetectorSettings(
        channels=(4, 6),
        neighbours=1,
        peak_threshold=0.07,
        threshold=0.37,
        calibration=Logistic(1.2, -0.4),
        linking=LinkSettings(max_gap=1, min_dip=0.4),
    )
    digest = save_detector(tmp_path / "m.safetensors", network, chosen, {"seed": 1})
    detector = load_detector(tmp_path / "m.safetensors")
    assert detector.settings == chosen
    assert detector.sha256 == digest
    assert detector.provenance == {"seed": 1}
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(detector.network(image), network.eval()(image), rtol=1e-4, atol=1e-4)
    assert load_detector(tmp_path / "m.safetensors") is detector
    moved = replace(chosen, threshold=0.5)
    save_adapted(tmp_path / "n.safetensors", detector, moved, tmp_path / "m.safetensors", {"tiles": ["a"]})
    again = load_detector(tmp_path / "n.safetensors")
    assert again.settings == moved
    assert again.provenance == {"seed": 1, "adapted": {"tiles": ["a"]}, "adapted_from": digest}
    with torch.inference_mode():
        assert torch.equal(again.network(image), detector.network(image))


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "other"},
        {"normalisation": "other"},
        {"settings": {}},
        {"settings": None},
        {
            "settings": {
                "channels": [4, 8],
                "stride": 2,
                "peak_threshold": 0.1,
                "linking": {},
                "radius_range_px": [2, 6],
            }
        },
        {
            "settings": {
                "channels": [4, 6],
                "stride": 2,
                "peak_threshold": 0.1,
                "linking": {"x": 1},
                "radius_range_px": [2, 6],
            }
        },
    ],
)
def test_checkpoints_of_other_kinds_are_refused(tmp_path, change):
    network = CenterNet((4, 6), 2)
    save_detector(tmp_path / "m.safetensors", network, DetectorSettings(channels=(4, 6)), {})
    tensors, header = read_checkpoint(tmp_path / "m.safetensors")
    write_checkpoint(tmp_path / "other.safetensors", tensors, {**header, **change})
    with pytest.raises(InputError):
        load_detector(tmp_path / "other.safetensors")
