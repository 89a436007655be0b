"""Inference: the same peaks for every cut, and points that come back where they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.detection import infer
from volumetric.detection.batches import Batch
from volumetric.detection.cells import candidates, cells_among, contrast_of
from volumetric.detection.centernet import CenterNet
from volumetric.detection.infer import detect_block, local_maxima, read_box
from volumetric.detection.model import Detector, DetectorSettings, load_detector
from volumetric.detection.targets import decode, make_targets
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.grid import BlockGrid
from volumetric.imaging.intensity import fit_contrast
from volumetric.imaging.pooling import mean_pool
from volumetric.learn.unet import fold_batch_norm
from volumetric.phantom.crops import random_crop
from volumetric.points.matching import match_points

FACTORS = (2, 8, 8)
NEIGHBOURS = 1


def detector(threshold: float = 0.01, stride: int = 2) -> Detector:
    """A small network with fixed random weights: its peaks mean nothing, but depend on all it sees."""
    torch.manual_seed(0)
    network = CenterNet((4, 6, 8), stride, NEIGHBOURS)
    network.eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    network.head[-1].weight.data *= 3
    fold_batch_norm(network)
    network.requires_grad_(False)
    settings = DetectorSettings(peak_threshold=threshold, neighbours=NEIGHBOURS, stride=stride)
    return Detector(network, settings, torch.device("cpu"), "", {})


def volume(shape=(4, 210, 230), seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(200 + 100 * rng.random(shape)).astype(np.uint16)


def field_of(image: np.ndarray):
    coarse = mean_pool(image.astype(np.float32), FACTORS)
    return fit_contrast(coarse, FACTORS, image.shape, lambda box: image[box.slices])


IMAGE = volume()
FIELD = field_of(IMAGE)
DETECTOR = detector()
KEY = ["z_vox", "y_vox", "x_vox"]


def peaks_of(write: Box) -> pd.DataFrame:
    read = read_box(write, IMAGE.shape, DETECTOR)
    return detect_block(IMAGE[read.slices], read, write, shape=IMAGE.shape, field=FIELD, detector=DETECTOR)


def peaks_at(network: Detector) -> pd.DataFrame:
    whole = Box.of_shape(IMAGE.shape)
    return detect_block(IMAGE, whole, whole, shape=IMAGE.shape, field=FIELD, detector=network)


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(infer, "TILE_PX", 64)


def assert_same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    assert len(a) == len(b)
    np.testing.assert_allclose(
        a.sort_values(KEY).to_numpy(float), b.sort_values(KEY).to_numpy(float), rtol=1e-3, atol=1e-3
    )


WHOLE = peaks_of(Box.of_shape(IMAGE.shape))


def test_there_are_peaks_to_compare():
    assert len(WHOLE) > 1000
    assert WHOLE.dtypes["z_vox"] == np.int64


def test_tiled_equals_untiled(small_tiles):
    assert_same(peaks_of(Box.of_shape(IMAGE.shape)), WHOLE)


@pytest.mark.parametrize("stride", [1, 4])
def test_any_stride_can_be_cut(stride, small_tiles):
    network = detector(stride=stride)
    parts = []
    for block in BlockGrid(IMAGE.shape, (2, 70, 100)):
        read = read_box(block.write, IMAGE.shape, network)
        shown = IMAGE[read.slices]
        parts.append(detect_block(shown, read, block.write, shape=IMAGE.shape, field=FIELD, detector=network))
    expected = peaks_at(network)
    assert len(expected) > 100
    assert_same(pd.concat(parts), expected)


def test_slices_shown_together_give_what_each_gives_alone(monkeypatch):
    monkeypatch.setattr(infer, "batch_of", lambda device: Batch(3))
    assert_same(peaks_of(Box.of_shape(IMAGE.shape)), WHOLE)


def test_what_does_not_fit_a_device_is_shown_in_smaller_batches(monkeypatch, caplog):
    small, batch, tried = detector(), Batch(8), []
    features = small.network.features

    def with_little_memory(stacks):
        tried.append(len(stacks))
        if len(stacks) > 2:
            raise torch.OutOfMemoryError
        return features(stacks)

    monkeypatch.setattr(small.network, "features", with_little_memory)
    monkeypatch.setattr(infer, "batch_of", lambda device: batch)
    assert_same(peaks_at(small), WHOLE)
    assert tried[:3] == [8, 4, 2]
    assert set(tried[2:]) == {2}
    assert [record.args for record in caplog.records] == [(8, 4), (4, 2)]


def test_a_slice_that_does_not_fit_a_device_is_told(monkeypatch):
    small, batch = detector(), Batch(2)

    def without_memory(stacks):
        raise torch.OutOfMemoryError(f"{len(stacks)} slices")

    monkeypatch.setattr(small.network, "features", without_memory)
    monkeypatch.setattr(infer, "batch_of", lambda device: batch)
    with pytest.raises(torch.OutOfMemoryError, match="1 slices"):
        peaks_at(small)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_finds_what_a_cpu_finds(dtype):
    there = load_detector(None, torch.device("cuda"), dtype)
    here = load_detector(None, torch.device("cpu"), torch.float32)
    most, same = 0, 0
    for seed in range(8):
        image, _ = random_crop(np.random.default_rng(seed), (14, 192, 192), (5.0, 2.0, 2.0))
        found = [candidates(image, contrast_of(image), each) for each in (there, here)]
        one, two = (cells_among(each, here.settings)[KEY].to_numpy() for each in found)
        most, same = most + max(len(one), len(two)), same + len(match_points(one, two, 1.0))
    assert same >= 0.995 * most > 100


def test_half_precision_says_nearly_the_same():
    half = detector()
    image = torch.randn(2, 2 * NEIGHBOURS + 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        exact = half.network(image)[:, 0]
        half.network.to(torch.bfloat16)
        half.network.head[-1].float()
        near = half.network(image.to(half.dtype))[:, 0]
    assert half.dtype == torch.bfloat16
    assert near.dtype == torch.float32
    assert np.corrcoef(exact.ravel(), near.ravel())[0, 1] > 0.995
    assert len(torch.unique(near)) > 0.9 * near.numel()
    found = peaks_at(half)
    assert abs(len(found) - len(WHOLE)) < 0.05 * len(WHOLE)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("seed", range(8))
def test_any_cut_into_blocks_gives_the_same_peaks(seed):
    rng = np.random.default_rng(seed)
    block = tuple(int(rng.integers(a, b)) for a, b in ((1, 5), (60, 200), (60, 200)))
    parts = [peaks_of(b.write) for b in BlockGrid(IMAGE.shape, block)]
    assert_same(pd.concat(parts), WHOLE)


def test_a_wider_read_box_changes_nothing(small_tiles):
    write = Box((1, 64, 64), (2, 128, 128))
    wide = detect_block(IMAGE, Box.of_shape(IMAGE.shape), write, shape=IMAGE.shape, field=FIELD, detector=DETECTOR)
    pd.testing.assert_frame_equal(wide, peaks_of(write))


def test_blocks_on_the_lattice_read_a_halo_and_no_more():
    write = Box((8, 1024, 2048), (16, 2048, 3072))
    halo = DETECTOR.halo_px
    assert read_box(write, (24, 9000, 9000), DETECTOR) == write.grow((NEIGHBOURS, halo, halo))


def test_refuses_a_read_box_that_is_too_small():
    write = Box((0, 0, 0), (1, 50, 50))
    with pytest.raises(InputError, match="must show at least"):
        detect_block(IMAGE[write.slices], write, write, shape=IMAGE.shape, field=FIELD, detector=DETECTOR)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("channels", [(4,), (4, 6, 8)])
def test_the_network_sees_no_farther_than_it_says(stride, channels):
    torch.manual_seed(0)
    net = CenterNet(channels, stride).eval()
    radius, n = net.receptive_radius_px, 256
    image = torch.randn(1, 1, n, n, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = net(image)
        assert before.shape == (1, 5, n // stride, n // stride)
        for shift in range(8):
            at = 96 + shift
            changed = image.clone()
            changed[..., at, :] += 100.0
            first = torch.nonzero((net(changed) != before).any(dim=-1).any(dim=1)[0]).ravel() * stride
            assert first.min() + stride - 1 >= at - radius
            assert first.max() <= at + radius
    assert net.halo_px >= radius
    assert net.halo_px % net.backbone.multiple_px == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_network_says_of_chosen_cells_what_it_says_of_all(stride, dtype):
    net = detector(stride=stride).network.to(dtype)
    net.head[-1].float()
    image = torch.randn(2, 2 * NEIGHBOURS + 1, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, features = net(image.to(dtype)), net.features(image.to(dtype))
        middle = whole[:, 0].ravel().sort().values[300:-300]
        least = float(middle[torch.diff(middle).argmax()] + torch.diff(middle).max() / 2)  # no logit is near
        chosen = torch.nonzero(whole[:, 0] > least)
        above, logits = net.centres(features, least)
        assert torch.equal(above, chosen)
        torch.testing.assert_close(logits, whole[chosen[:, 0], 0, chosen[:, 1], chosen[:, 2]])
        said = net.at(features, chosen)
        torch.testing.assert_close(said, whole[chosen[:, 0], :, chosen[:, 1], chosen[:, 2]])
        assert torch.equal(net.at(features, chosen[7:9]), said[7:9])
        assert net.at(features, chosen[:0]).shape == (0, 5)


class Oracle(torch.nn.Module):
    """Answers with the targets of known points, whatever it is shown."""

    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output, self.backbone, self.halo_px = output, CenterNet((4, 6, 8), 2).backbone, 48

    def features(self, image: torch.Tensor) -> torch.Tensor:
        assert image.shape[2] // 2 == self.output.shape[2]
        return self.output

    def centres(self, features: torch.Tensor, least: float) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.nonzero(features[:, 0] > least), features[:, 0][features[:, 0] > least]

    def at(self, features: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        return features[cells[:, 0], :, cells[:, 1], cells[:, 2]]


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_points_survive_targets_and_decoding(seed):
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(8, 120, 16), np.arange(8, 120, 16)), -1).reshape(-1, 2)
    points = grid + rng.uniform(-3, 3, grid.shape)
    target = make_targets((128 + 96, 128 + 96), points + 48, np.full(len(points), 3.5), 2)
    output = torch.full((1, 5, 112, 112), -20.0)
    output[0, 0] = torch.logit(torch.from_numpy(target.heatmap).clamp(1e-6, 1 - 1e-6))
    output[0, 1:3, target.cells[:, 0], target.cells[:, 1]] = torch.from_numpy(target.offset.T)
    output[0, 3:5, target.cells[:, 0], target.cells[:, 1]] = torch.from_numpy(target.size.T)
    oracle = Detector(Oracle(output), DetectorSettings(peak_threshold=0.9, neighbours=0), torch.device("cpu"), "", {})
    image = volume((1, 128, 128))
    whole = Box.of_shape(image.shape)
    found = detect_block(image, whole, whole, shape=image.shape, field=field_of(image), detector=oracle)
    key = np.lexsort((points[:, 1], points[:, 0]))
    found = found.sort_values(["y_vox", "x_vox"])
    np.testing.assert_allclose(found[["y_vox", "x_vox"]].to_numpy(), points[key], atol=0.01)
    np.testing.assert_allclose(found["radius_px"], 3.5, atol=1e-4)


def test_decode_is_the_inverse_of_the_offset():
    np.testing.assert_allclose(decode([[3, 4]], [[0.25, 0.5]], 2), [[6.5, 9.0]])


def test_of_equal_neighbours_the_first_is_the_peak():
    logits = torch.full((6, 6), -5.0)
    logits[2, 2] = logits[2, 3] = logits[3, 2] = 40.0
    logits[5, 5] = 1.0
    cells = torch.nonzero(logits[None] > 0.0)
    top = local_maxima(cells, logits[None][tuple(cells.T)], (1, 6, 6))
    assert cells[top].tolist() == [[0, 2, 2], [0, 5, 5]]
    assert local_maxima(cells[:0], logits[0, :0], (1, 6, 6)).shape == (0,)


@pytest.mark.parametrize("value", [0, 500, np.nan])
def test_empty_images_have_no_cells(value):
    image = np.full((2, 100, 100), value, dtype=np.float32)
    whole = Box.of_shape(image.shape)
    quiet = detector(0.5)
    quiet.network.head[-1].bias.data[0] = -20
    found = detect_block(image, whole, whole, shape=image.shape, field=field_of(image), detector=quiet)
    assert len(found) == 0
    assert list(found.columns) == list(WHOLE.columns)


def test_tiles_without_tissue_are_not_looked_at(small_tiles, monkeypatch):
    frame = np.full((2, 400, 400), 100.0)
    frame[:, 150:250, 150:250] = 500
    noisy = np.random.default_rng(0).poisson(frame)
    seen = []
    whole, field = Box.of_shape(noisy.shape), field_of(noisy)
    monkeypatch.setattr(DETECTOR.network, "features", lambda x, f=DETECTOR.network.features: seen.append(x) or f(x))
    detect_block(noisy, whole, whole, shape=noisy.shape, field=field, detector=DETECTOR)
    assert 0 < len(seen) < 2 * 49
