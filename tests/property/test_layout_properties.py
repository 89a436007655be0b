"""Laws of layouts, whatever the tile and the settings."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.synthesis.envelopes import envelope
from volumetric.synthesis.method_layout import MethodLayout
from volumetric.synthesis.pair_correlation import Pattern, pair_correlation
from volumetric.synthesis.point_process import PointProcess

seeds = st.integers(0, 2**31)
edges_px = st.integers(12, 90)
EDGES = np.arange(0.0, 7.0, 2.0)


@settings(deadline=None, max_examples=25)
@given(seeds, edges_px, edges_px, st.integers(0, 12), st.floats(0, 20), st.floats(0.5, 10), st.floats(0, 6))
def test_simulated_cells_are_as_many_as_asked_for_and_in_the_tile(seed, y, x, n, excess, spread, core):
    process = PointProcess(excess, spread, core, trend=1.0)
    places = process.simulate(n, (y, x), np.random.default_rng(seed), times=2)
    assert places.shape == (2, n, 2)
    assert np.all((places >= -0.5) & (places <= np.asarray([y, x]) - 0.5))


@settings(deadline=None, max_examples=25)
@given(seeds, edges_px, edges_px, st.integers(2, 20))
def test_the_pair_correlation_does_not_know_which_way_a_tile_lies(seed, y, x, n):
    yx = np.random.default_rng(seed).uniform(-0.5, np.asarray([y, x]) - 0.5, (n, 2))
    turned = Pattern(yx[::-1, ::-1], (x, y))
    mirrored = Pattern(np.asarray([y - 1, 0]) + yx * (-1, 1), (y, x))
    one = pair_correlation([Pattern(yx, (y, x))], EDGES)
    np.testing.assert_allclose(pair_correlation([turned], EDGES), one)
    np.testing.assert_allclose(pair_correlation([mirrored], EDGES), one)
    np.testing.assert_allclose(pair_correlation([turned, mirrored, Pattern(yx[:1], (50, 50))], EDGES), one)


@settings(deadline=None, max_examples=15)
@given(seeds, edges_px, edges_px, st.integers(0, 40))
def test_the_method_never_makes_more_cells_than_asked_for_and_keeps_them_inside(seed, y, x, n):
    layout = MethodLayout().of_cells(n, (y, x), np.random.default_rng(seed))
    assert len(layout) <= n
    assert np.all((layout.yx >= -0.5) & (layout.yx <= np.asarray([y, x]) - 0.5))
    assert len(layout.outlines) == len(layout.light) == len(layout.radius_px) == len(layout)


@settings(deadline=None, max_examples=25)
@given(seeds, st.floats(0.1, 10), st.floats(-5, 5))
def test_envelopes_do_not_depend_on_the_unit_of_a_curve(seed, scale, shift):
    rng = np.random.default_rng(seed)
    observed, simulated = rng.normal(size=6), rng.normal(size=(39, 6))
    one, two = envelope(observed, simulated), envelope(observed * scale + shift, simulated * scale + shift)
    assert one.p == two.p
    np.testing.assert_allclose(two.high, one.high * scale + shift)
