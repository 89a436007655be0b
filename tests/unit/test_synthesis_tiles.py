"""Layouts as images, how well cells are seen, optics and noise, and whole tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.synthesis.appearance import compose, render
from volumetric.synthesis.discs import Discs
from volumetric.synthesis.generator import Generator
from volumetric.synthesis.layout import Layout, circle, outline, without_contained
from volumetric.synthesis.model import GeneratorSettings, Model
from volumetric.synthesis.physics import Optics, fractal
from volumetric.synthesis.sample import FLAT, Variation, draw, make_plane, visibility_of
from volumetric.synthesis.scale import from_levels, grey16, levels, shown
from volumetric.synthesis.visibility import Seen, Visibility

SHAPE = (64, 64)


def layout_of(*cells: tuple[float, float, float, float]) -> Layout:
    """Round cells: y, x, radius, light."""
    rows = np.asarray(cells, dtype=np.float64).reshape(-1, 4)
    outlines = tuple(circle(row[:2], row[2]) for row in rows)
    return Layout(rows[:, :2], rows[:, 2], rows[:, 3], outlines)


@dataclass(frozen=True)
class Fixed:
    """Always the same layout."""

    layout: Layout

    def sample(self, shape: tuple[int, int], rng: np.random.Generator) -> Layout:
        return self.layout


@given(st.floats(-10, 60))
def test_light_and_planes_are_each_others_inverse(light):
    assert levels(from_levels(np.array([light])))[0] == pytest.approx(light, rel=1e-3, abs=1e-3)


def test_grey_values_are_linear_in_light():
    grey = grey16(from_levels(np.array([-10.0, 0.0, 10.0, 20.0])))
    assert np.diff(grey.astype(int)).tolist() == [250, 250, 250]
    assert shown(np.array([-99.0, 99.0])).tolist() == [0, 1]


def test_a_cell_is_as_bright_and_large_as_its_layout_says():
    mask, light = render(layout_of((30, 32, 5, 20)), SHAPE, "lit", np.random.default_rng(0))
    assert light[30, 32] == pytest.approx(20)
    assert light[30, 37] == pytest.approx(10, rel=0.05)  # half at the outline
    assert mask.sum() == pytest.approx(np.pi * 25, rel=0.08)
    white, image = render(layout_of((30, 32, 5, 20)), SHAPE, "white", np.random.default_rng(0))
    assert np.array_equal(white, image)
    assert np.array_equal(white, mask)
    assert render(layout_of(), SHAPE, "lit", np.random.default_rng(0))[1].max() == 0


def test_an_outline_wobbles_around_its_circle():
    corners = outline(np.array([10.0, 20.0]), 6.0, np.random.default_rng(0))
    distance = np.linalg.norm(corners - (10, 20), axis=1)
    assert 4.8 <= distance.min() < 5.8
    assert 6.2 < distance.max() <= 7.2


def test_cells_within_others_are_left_out():
    whole = layout_of((30, 30, 8, 1), (31, 30, 3, 1), (30, 50, 6, 1), (30, 56, 6, 1))
    kept = without_contained(whole, SHAPE)
    assert kept.radius_px.tolist() == [8, 6, 6]
    twins = without_contained(layout_of((30, 30, 5, 1), (30, 30, 5, 2)), SHAPE)
    assert twins.light.tolist() == [1]


def test_white_cells_cover_and_lit_cells_add():
    one = torch.ones(1, 1, 2, 2)
    mask = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    assert compose(0.3 * one, mask, mask, "white").flatten().tolist() == pytest.approx([1, 0.3, 1, 0.3])
    lit = compose(FLAT * one, mask, 20 * mask, "lit").numpy()
    assert levels(lit).flatten() == pytest.approx([20, 0, 20, 0], abs=1e-3)


@given(st.floats(0.6, 4.0), st.integers(0, 99))
def test_both_ways_of_looking_see_the_same(radius, seed):
    plane = np.random.default_rng(seed).random((40, 48), dtype=np.float32)
    look = Visibility(radius, 0.1)
    tensor = look.response(torch.from_numpy(plane)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(look.response_of(plane), tensor, atol=1e-5)


def test_what_is_hidden_and_what_is_not_in_the_truth_is_counted():
    sampler = Discs(light=(15, 20), radius_px=(2.5, 3.5))
    look = visibility_of(sampler, 64, "lit", 0)
    _, light = render(layout_of((20, 20, 3, 18), (40, 44, 3, 18)), SHAPE, "lit", np.random.default_rng(0))
    plane = from_levels(light)
    said = [(20.0, 20.0), (40.0, 44.0)]
    assert vars(look.judged(plane, np.array(said))) == {"cells": 2, "invisible": 0, "phantoms": 0}
    assert vars(look.judged(plane, np.array(said[:1]))) == {"cells": 1, "invisible": 0, "phantoms": 1}
    assert vars(look.judged(plane, np.array([*said, (10.0, 50.0)]))) == {"cells": 3, "invisible": 1, "phantoms": 0}
    assert vars(look.judged(np.zeros(SHAPE, np.float32), np.array(said)))["invisible"] == 2
    centres = np.zeros((1, 1, 64, 64), dtype=np.float32)
    centres[0, 0, [20, 40], [20, 44]] = 1
    tensor = torch.from_numpy(plane)[None, None]
    right = look.loss(tensor, torch.from_numpy(centres))
    missing = look.loss(tensor, torch.from_numpy(np.roll(centres, 9, axis=2)))
    assert right.item() < 1e-3
    assert missing.item() > 0.1


def test_cells_too_faint_to_be_seen_are_not_put_in():
    sampler = Discs(per_mpx=(600, 600), radius_px=(2.5, 3.5), light=(0.5, 60))
    look = visibility_of(sampler, 64, "lit", 0)
    rng = np.random.default_rng(3)
    drawn = [draw(sampler, SHAPE, "lit", rng, look) for _ in range(100)]
    light = np.concatenate([one.layout.light for one in drawn])
    everything = sum(len(draw(sampler, SHAPE, "lit", rng).layout) for _ in range(100))
    assert 0.3 * everything < len(light) < 0.9 * everything
    assert light.min() > 2
    seen = sum((look.judged(from_levels(one.cells), one.layout.yx) for one in drawn), Seen(0, 0, 0))
    assert (seen.cells, seen.phantoms) == (len(light), 0)
    assert seen.invisible <= 0.02 * seen.cells


def test_texture_has_the_slope_that_was_asked_for():
    field = fractal((256, 256), 2.0, np.random.default_rng(0))
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    use = (frequency > 0.02) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[use]), np.log(power[use]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.1)
    assert field.std() == pytest.approx(1)
    assert abs(field.mean()) < 1e-9


def test_shot_noise_grows_with_light():
    optics = Optics(texture=(1e-3, 1e-3), photons=(100, 100), read_noise=(0, 0), psf_px=(0.4, 0.4))
    bright = Layout(
        np.array([[32.0, 32.0]]), np.array([40.0]), np.array([90.0]), (circle(np.array([32.0, 32]), 200.0),)
    )
    for layout, variance in ((layout_of(), 1.0), (bright, 1 + 90 / 10)):
        drawn = draw(Fixed(layout), SHAPE, "lit", np.random.default_rng(0))
        noise = levels(optics.paint(drawn, np.random.default_rng(1))) - drawn.cells
        assert noise[24:40, 24:40].var() == pytest.approx(variance, rel=0.35)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    look = visibility_of(Discs(), 64, "lit", 0)
    settings = GeneratorSettings(channels=(8, 16), style=4, scale="contrast", appearance="lit", visibility=look, px=64)
    return Model(Generator((8, 16), 4).eval().requires_grad_(False), settings, torch.device("cpu"), "", {})


@given(st.integers(16, 41), st.integers(16, 41), st.integers(0, 9))
def test_tiles_of_any_size_are_made_again_from_their_seed(height, width, seed):
    torch.manual_seed(0)
    settings = GeneratorSettings(
        channels=(8, 16, 16), style=4, scale="contrast", appearance="lit", visibility=Visibility(3, 0.05), px=64
    )
    made = Model(Generator((8, 16, 16), 4).eval(), settings, torch.device("cpu"), "", {})
    shape, sampler = (height, width), Discs(per_mpx=(3000, 3000))
    first, second = (make_plane(made, sampler, shape, np.random.default_rng(seed), Variation()) for _ in range(2))
    assert first[0].shape == shape
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1].yx, second[1].yx)


def test_brightness_and_texture_vary_the_background(model):
    def plane(variation: Variation) -> np.ndarray:
        empty = Discs(per_mpx=(0, 0))
        return make_plane(model, empty, SHAPE, np.random.default_rng(0), variation)[0]

    usual = plane(Variation())
    assert plane(Variation(brightness=(0.5, 0.5))) == pytest.approx(0.5 * usual, abs=1e-5)
    assert plane(Variation(texture=0.3)).std() > 1.2 * usual.std()


def test_ranges_of_discs_are_checked():
    with pytest.raises(InputError, match="radius_px of discs"):
        Discs(radius_px=(0, 3))
    with pytest.raises(InputError, match="not a cell"):
        visibility_of(Discs(per_mpx=(0, 0)), 64, "lit", 0)
