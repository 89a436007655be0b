"""Where cells lie: the pair correlation, envelopes, point processes and fits, against what is known in closed form."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from volumetric.errors import InputError
from volumetric.synthesis.envelopes import envelope
from volumetric.synthesis.fit_process import LEAST_PAIRS, fit, fit_trend, pairs_within
from volumetric.synthesis.fitted_layout import (
    FittedLayout,
    KnownTile,
    RegionLayout,
    fit_layout,
    read_layout,
    write_layout,
)
from volumetric.synthesis.layout_check import counts_of, process_curves, resampled_fits
from volumetric.synthesis.marked import Marked, fit_marked
from volumetric.synthesis.marks import Marks, fit_marks, measure
from volumetric.synthesis.method_layout import MethodLayout
from volumetric.synthesis.pair_correlation import Pattern, edges_of, pair_correlation, places_at
from volumetric.synthesis.point_process import PointProcess
from volumetric.synthesis.scale import from_levels
from volumetric.synthesis.tile_counts import TileCounts, fit_counts

SHAPE = (96, 120)
EDGES = np.arange(0.0, 25.0, 2.0)
LOOK = Marks((1.0, 2.5), (0.2, 0.4), 0.5, (1.5, 5.0), (3.0, 60.0))


def uniform(counts, seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    return [Pattern(rng.uniform(-0.5, np.asarray(shape) - 0.5, (n, 2)), shape) for n in counts]


def thomas(excess, spread, density, tiles, seed):
    """An unconditional Thomas process in `tiles` tiles, made in the textbook's way."""
    rng, margin = np.random.default_rng(seed), 5 * spread
    centres_per_px = 1 / (4 * np.pi * excess * spread**2)
    size, found = np.asarray(SHAPE), []
    for _ in range(tiles):
        number = rng.poisson(centres_per_px * np.prod(size + 2 * margin))
        centres = rng.uniform(-margin, size + margin, (number, 2))
        of = np.repeat(np.arange(number), rng.poisson(density / centres_per_px, number))
        cells = centres[of] + rng.normal(0, spread, (len(of), 2))
        found.append(Pattern(cells[np.all((cells >= 0) & (cells < size), axis=1)] - 0.5, SHAPE))
    return found


def simulated(process, counts, seed=0, shape=SHAPE):
    """Tiles with so many cells each, those with few first."""
    rng = np.random.default_rng(seed)
    numbers, tiles = np.unique(counts, return_counts=True)
    places = (process.simulate(n, shape, rng, k) for n, k in zip(numbers.tolist(), tiles.tolist(), strict=True))
    return [Pattern(yx, shape) for same in places for yx in same]


def in_bins(process, edges=EDGES):
    """g of a process in each bin, over its mean over all pairs of places of a tile."""
    rng = np.random.default_rng(0)
    apart = np.linalg.norm(np.subtract(*rng.uniform(0, SHAPE, (2, 200_000, 2))), axis=1)
    fine = np.linspace(edges[:-1] + 0.05, edges[1:] - 0.05, 20)
    mean = np.average(process.pair_correlation(fine), axis=0, weights=places_at(SHAPE, fine))
    return mean / process.pair_correlation(apart).mean()


def test_cells_spread_by_chance_have_a_pair_correlation_of_one():
    found = pair_correlation(uniform([100] * 150), EDGES)
    np.testing.assert_allclose(found[1:], 1, atol=0.08)


def test_tiles_of_different_density_and_size_do_not_look_like_clusters():
    rng = np.random.default_rng(1)
    tiles = uniform(rng.poisson(rng.gamma(0.5, 60, 150))) + uniform([40] * 20, 2, (60, 200))
    np.testing.assert_allclose(pair_correlation(tiles, EDGES)[1:], 1, atol=0.1)


def test_the_pair_correlation_of_a_thomas_process_is_its_closed_form():
    found = pair_correlation(thomas(2.0, 4.0, 40 / np.prod(SHAPE), 150, seed=1), EDGES)
    np.testing.assert_allclose(found, in_bins(PointProcess(2.0, 4.0)), rtol=0.12)


def test_translation_correction_is_the_one_computed_by_hand():
    tile = Pattern(np.asarray([[10.0, 10.0], [13.0, 14.0]]), (20, 40))
    expected = 2 * 800 / (17 * 36) / (np.pi * (6**2 - 4**2) * 2 / 800)
    np.testing.assert_allclose(pair_correlation([tile], np.asarray([4.0, 6.0])), [expected])


def test_tiles_without_pairs_have_no_pair_correlation():
    assert np.isnan(pair_correlation(uniform([0, 1, 1]), EDGES)).all()


def test_distances_of_two_places_are_as_drawn():
    rng = np.random.default_rng(3)
    apart = np.linalg.norm(np.subtract(*rng.uniform(0, SHAPE, (2, 400_000, 2))), axis=1)
    drawn = np.histogram(apart, EDGES)[0] / 400_000
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    np.testing.assert_allclose(2 * places_at(SHAPE, middle) / np.prod(SHAPE) ** 2, drawn, rtol=0.06, atol=3e-5)


def test_small_tiles_are_refused():
    with pytest.raises(InputError, match="too small"):
        edges_of(uniform([3], shape=(31, 40)))
    with pytest.raises(InputError, match="no tile"):
        edges_of([])


def test_an_envelope_holds_curves_of_its_model_as_often_as_it_says():
    rng = np.random.default_rng(0)
    curves = np.cumsum(rng.normal(size=(400, 100, 10)), axis=2)  # neighbouring distances go together
    inside = [envelope(one[0], one[1:]).inside for one in curves]
    assert 0.92 <= np.mean(inside) <= 0.98


def test_an_envelope_and_its_p_value_say_the_same():
    rng = np.random.default_rng(1)
    simulated = rng.normal(size=(199, 8))
    for observed in rng.normal(0, 1.5, size=(60, 8)):
        found = envelope(observed, simulated)
        assert found.inside == bool(np.all((observed >= found.low) & (observed <= found.high)))
    assert not envelope(np.full(8, 5.0), simulated).inside
    assert envelope(np.zeros(8), simulated).p > 0.5


def test_too_few_simulations_are_refused():
    with pytest.raises(InputError, match="at least 19"):
        envelope(np.zeros(3), np.zeros((18, 3)))


def test_cells_given_their_number_lie_as_in_the_whole_process():
    process = PointProcess(2.0, 4.0)
    counts = [len(one.yx) for one in thomas(2.0, 4.0, 40 / np.prod(SHAPE), 120, seed=2)]
    found = pair_correlation(simulated(process, counts), EDGES)
    np.testing.assert_allclose(found, in_bins(process), rtol=0.13)


def test_a_hard_core_keeps_cells_apart():
    process = PointProcess(1.0, 6.0, core_px=6.0, steepness=60.0)
    for tile in simulated(process, [30] * 10):
        assert pdist(tile.yx).min() > 5.5
    assert min(pdist(tile.yx).min() for tile in simulated(replace(process, core_px=0.0), [30] * 10)) < 1


def test_two_cells_are_as_near_as_their_core_allows():
    process = PointProcess(core_px=20.0, steepness=3.0, overlap=0.2)
    pairs = process.simulate(2, SHAPE, np.random.default_rng(0), times=6000)
    apart = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1)
    grid = (np.arange(24) + 0.5) / 1.0
    expected = places_at(SHAPE, grid) * np.exp(process.log_core(grid))
    drawn = np.histogram(apart, np.arange(25.0))[0].astype(float)
    near, far = slice(0, 12), slice(12, 24)
    assert drawn[near].sum() / drawn[far].sum() == pytest.approx(expected[near].sum() / expected[far].sum(), rel=0.15)


def test_simulations_lie_in_the_tile_and_are_the_same_for_a_seed():
    process = PointProcess(3.0, 3.0, 4.0, 4.0, 0.01, 2.0)
    for shape in ((8, 8), (30, 200)):
        one, two = (process.simulate(12, shape, np.random.default_rng(5), times=3) for _ in range(2))
        assert one.shape == (3, 12, 2)
        np.testing.assert_array_equal(one, two)
        assert (one >= -0.5).all()
        assert (one <= np.asarray(shape) - 0.5).all()
    assert process.simulate(0, SHAPE, np.random.default_rng(0)).shape == (1, 0, 2)


def test_a_fit_finds_planted_clusters_and_core():
    planted = PointProcess(2.0, 5.0, 5.0, 6.0)
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(1.0, 18.0, 260))  # tiles differ much
    found = fit(simulated(planted, counts), 24.0)
    assert found.core_px == pytest.approx(5.0, rel=0.15)
    assert found.excess == pytest.approx(2.0, rel=0.4)
    assert found.spread_px == pytest.approx(5.0, rel=0.25)
    assert found.overlap < 0.02


def test_a_fit_to_a_textbook_thomas_process_finds_its_numbers():
    found = fit(thomas(3.0, 4.0, 12 / np.prod(SHAPE), 250, seed=4), 24.0)
    assert found.excess == pytest.approx(3.0, rel=0.35)
    assert found.spread_px == pytest.approx(4.0, rel=0.2)
    assert found.core_px < 1.5


def test_a_trend_is_told_from_clusters():
    steep = PointProcess(trend=2.5, core_px=3.0)
    rng = np.random.default_rng(0)
    lit = simulated(steep, rng.poisson(12, 200))
    clustered = simulated(PointProcess(2.0, 5.0), rng.poisson(12, 200))
    assert fit(lit, 24.0).trend == pytest.approx(2.5, rel=0.25)
    assert fit(lit, 24.0).excess < 0.8  # a trend so steep raises near pairs a little more than far ones
    assert fit_trend(clustered, PointProcess(2.0, 5.0)) < 0.8
    assert fit_trend(uniform([0, 0]), PointProcess()) == 0


def test_the_usual_diameter_counts_where_pairs_say_little():
    few = simulated(PointProcess(core_px=6.0), [12] * 12)
    many = simulated(PointProcess(core_px=6.0), [20] * 120)

    def moved(tiles):
        return fit(tiles, 24.0, diameter_px=3.0).core_px / fit(tiles, 24.0, diameter_px=12.0).core_px

    assert moved(few) < moved(many)
    assert moved(many) == pytest.approx(1, abs=0.15)


def test_too_few_pairs_are_refused():
    tiles = uniform([2, 1, 0])
    assert pairs_within(tiles, 24.0) < LEAST_PAIRS
    with pytest.raises(InputError, match="pairs of cells"):
        fit(tiles, 24.0)


def test_numbers_that_make_no_process_are_refused():
    for wrong in ({"excess": -1.0}, {"spread_px": 0.0}, {"core_px": np.nan}, {"overlap": 1.5}):
        with pytest.raises(InputError, match="point process"):
            PointProcess(**wrong)


def test_curves_of_the_true_process_hold_its_cells():
    process = PointProcess(1.5, 4.0, 5.0)
    inside = []
    rng = np.random.default_rng(0)
    for seed in range(8):
        tiles = simulated(process, [15, 15, 1, 0, 15], seed)
        curves = process_curves(process, counts_of(tiles, 39), [SHAPE] * 5, EDGES, rng)
        inside.append(envelope(pair_correlation(tiles, EDGES), curves).inside)
    assert sum(inside) >= 6
    tiles = simulated(process, [20] * 20)
    curves = process_curves(PointProcess(), counts_of(tiles, 39), [SHAPE] * 20, EDGES, rng)
    assert not envelope(pair_correlation(tiles, EDGES), curves).inside


def test_resampled_fits_scatter_around_the_fit():
    tiles = simulated(PointProcess(1.0, 5.0, 6.0), [15] * 60)
    cores = [one.core_px for one in resampled_fits([[one] for one in tiles], 24.0, 5.0, 4, np.random.default_rng(0))]
    assert len(set(cores)) == 4
    assert np.mean(cores) == pytest.approx(fit(tiles, 24.0, diameter_px=5.0).core_px, rel=0.15)


def test_counts_of_empty_and_full_tiles_are_both_held():
    rng = np.random.default_rng(0)
    area = 10_000
    true = TileCounts((0.0, 300.0, 2000.0), (0.5, 0.3, 0.2))
    seen = np.asarray([true.sample(area, rng) for _ in range(1500)])
    found = fit_counts(seen, [area] * len(seen))
    drawn = np.asarray([found.sample(area, rng) for _ in range(4000)])
    assert found.mean_per_mpx == pytest.approx(seen.mean() * 100, rel=1e-3)
    assert (drawn == 0).mean() == pytest.approx((seen == 0).mean(), abs=0.03)
    assert drawn.var() == pytest.approx(seen.var(), rel=0.12)
    assert np.mean([found.sample(4 * area, rng) for _ in range(4000)]) == pytest.approx(4 * seen.mean(), rel=0.1)
    with pytest.raises(InputError, match="no tile has a cell"):
        fit_counts(np.zeros(3, dtype=np.int64), [area] * 3)


def plane_of(cells, radius, light, shape=(120, 120), noise=0.0):
    """A plane of round cells whose light falls to half at their radius."""
    y, x = np.indices(shape)
    above = np.random.default_rng(0).normal(0, noise, shape) if noise else np.zeros(shape)
    for (cy, cx), r, height in zip(cells, radius, light, strict=True):
        above += height * np.exp(-np.log(2) * ((y - cy) ** 2 + (x - cx) ** 2) / r**2)
    return from_levels(above)


def test_radius_and_light_of_planted_cells_are_measured():
    rng = np.random.default_rng(0)
    cells = np.asarray([(y, x) for y in range(15, 120, 30) for x in range(15, 120, 30)], dtype=float)
    radius, light = rng.uniform(2, 4.5, 16), rng.uniform(6, 25, 16)
    clean, noisy = (measure(plane_of(cells, radius, light, noise=noise), cells) for noise in (0.0, 0.5))
    np.testing.assert_allclose(clean[:, 0], radius, rtol=0.08)
    np.testing.assert_allclose(clean[:, 1], light, rtol=0.15)
    np.testing.assert_allclose(np.median(noisy / np.column_stack([radius, light]), axis=0), 1, atol=0.15)


def test_what_does_not_stand_out_is_not_measured():
    assert np.isnan(measure(from_levels(np.zeros((50, 50))), np.asarray([[25.0, 25.0], [0.0, 0.0]]))).all()
    assert measure(from_levels(np.zeros((50, 50))), np.zeros((0, 2))).shape == (0, 2)


def test_marks_are_drawn_as_they_were_fitted():
    rng = np.random.default_rng(0)
    one = np.column_stack(LOOK.sample(5000, rng))
    one[:50] = 400.0  # a few wrong cells
    found = fit_marks(np.vstack([one, np.full((10, 2), np.nan)]))
    np.testing.assert_allclose(found.mean, LOOK.mean, atol=0.03)
    np.testing.assert_allclose(found.deviation, LOOK.deviation, rtol=0.06)
    assert found.correlation == pytest.approx(0.5, abs=0.06)
    with pytest.raises(InputError, match="stand out"):
        fit_marks(np.full((20, 2), np.nan))


def test_the_method_s_layouts_keep_margins_and_contain_none():
    method = MethodLayout()
    for seed in range(8):
        layout = method.sample((300, 400), np.random.default_rng(seed))
        margin = layout.radius_px[:, None]
        assert (layout.yx >= margin - 0.5 - 1e-9).all()
        assert (layout.yx <= np.asarray((300, 400)) - 0.5 - margin + 1e-9).all()
        assert ((layout.radius_px >= 2) & (layout.radius_px <= 9)).all()
        assert ((layout.light >= 3) & (layout.light <= 30)).all()
        masks = layout.masks((300, 400))
        covered = np.sum(masks, axis=0)
        assert all(np.any(one & (covered == 1)) for one in masks)


def test_the_method_s_clusters_hold_all_cells_and_are_three_to_six():
    method = MethodLayout(spread_px=0.0, across_px=0.0)
    numbers = set()
    for seed in range(60):
        places = method.places(200, (500, 500), np.random.default_rng(seed))
        assert len(places) == 200
        numbers.add(len(np.unique(places, axis=0)))
    assert numbers == {3, 4, 5, 6}


def test_the_method_s_lines_are_straight_and_even():
    lines = MethodLayout(clusters=(1, 1), lines=1.0, across_px=0.0)
    places = lines.places(9, (500, 500), np.random.default_rng(1))
    np.testing.assert_allclose(np.diff(places, axis=0), np.broadcast_to(np.diff(places, axis=0)[0], (8, 2)))
    assert np.linalg.norm(places[-1] - places[0]) == pytest.approx(160)
    clouds = MethodLayout(clusters=(1, 1), lines=0.0)
    assert clouds.places(4000, (250, 250), np.random.default_rng(1)).std(axis=0) == pytest.approx(20, rel=0.1)


def test_the_method_s_numbers_of_cells_go_with_the_area():
    method = MethodLayout()
    drawn = [
        [len(method.of_cells(0, (8, 8), np.random.default_rng(0)))]
        + [len(method.sample(shape, np.random.default_rng(seed))) for seed in range(12)]
        for shape in ((500, 500), (100, 100))
    ]
    assert min(drawn[0][1:]) >= 5
    assert max(drawn[0]) <= 150
    assert np.mean(drawn[0]) > 10 * np.mean(drawn[1]) > 0
    with pytest.raises(InputError, match="standard deviation"):
        MethodLayout(cells=(60, 25, 90, 80))


def test_the_share_of_marked_spots_is_told_by_their_light():
    rng = np.random.default_rng(3)
    light = np.exp(rng.normal(2.5, 0.6, 4000))
    share = 0.5 / (1 + (15 / light) ** 4)
    found = fit_marked(np.append(light, np.nan), np.append(rng.uniform(size=4000) < share, True))
    np.testing.assert_allclose(found.of(np.sort(light)), np.sort(share), atol=0.06)
    np.testing.assert_array_equal(np.diff(found.of(np.geomspace(0.1, 1e4, 99))) >= 0, True)


def test_few_spots_tell_one_share_and_none_nothing():
    found = fit_marked(np.array([4.0, 9.0, 30.0]), np.array([False, True, True]))
    np.testing.assert_allclose(found.of(np.array([1.0, 50.0])), 2.5 / 4)
    assert fit_marked(np.full(200, 7.0), np.arange(200) < 50).of(np.array([7.0]))[0] == pytest.approx(0.25, abs=0.03)
    with pytest.raises(InputError, match="which ones people mark"):
        fit_marked(np.array([np.nan]), np.array([True]))


def test_a_region_without_marks_is_marked_as_all_tiles_are():
    rng = np.random.default_rng(0)
    tiles = []
    for region, known in (("marked", True), ("bare", False)):
        for one in simulated(PointProcess(core_px=6.0, steepness=8.0), [20] * 20, seed=len(region)):
            measured = np.column_stack(LOOK.sample(20, rng))
            tiles.append(KnownTile(one, measured, region, rng.uniform(size=20) < 0.3 if known else None))
    bare, marked = (fit_layout(tiles, 24.0).only(name).regions[0].marked for name in ("bare", "marked"))
    assert bare == marked
    assert np.mean(bare.share) == pytest.approx(0.3, abs=0.05)


def small_layout():
    process = PointProcess(1.0, 4.0, 5.0, 4.0, 0.01, 0.5)
    counts = TileCounts((0.0, 1500.0), (0.4, 0.6))
    return FittedLayout(
        (
            RegionLayout("CA1", 30, process, counts, LOOK, Marked((5.0, 20.0), (0.1, 0.6))),
            RegionLayout("DG", 10, process, TileCounts((0.0,), (1.0,)), LOOK),
        )
    )


def test_layouts_are_read_as_they_were_written(tmp_path):
    layout = small_layout()
    write_layout(tmp_path / "layout.json", layout, {"cells": 3})
    again = read_layout(tmp_path / "layout.json")
    assert again == layout
    one, two = (given.sample(SHAPE, np.random.default_rng(2)) for given in (layout, again))
    np.testing.assert_array_equal(one.yx, two.yx)
    np.testing.assert_array_equal(one.light, two.light)
    drawn = [again.only("CA1").sample(SHAPE, np.random.default_rng(seed)) for seed in range(9)]
    for of_tile in drawn:
        np.testing.assert_allclose(of_tile.sure, Marked((5.0, 20.0), (0.1, 0.6)).of(of_tile.light))
    assert sum(map(len, drawn)) > 9
    assert again.only("DG").sample(SHAPE, np.random.default_rng(0)).confidence is None
    assert all(len(again.only("DG").sample(SHAPE, np.random.default_rng(seed))) == 0 for seed in range(5))
    with pytest.raises(InputError, match="no layouts of region CA3"):
        again.only("CA3")


def damaged(change):
    record = {
        "format": "volumetric layout",
        "version": 2,
        "regions": [asdict(one) for one in small_layout().regions],
        "made": {},
    }
    change(record)
    return json.dumps(record)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(format="other"), "no file of layouts"),
        (lambda r: r.update(version=9), "version 9"),
        (lambda r: r.update(regions=[]), "damaged"),
        (lambda r: r["regions"][0].pop("marks"), "damaged"),
        (lambda r: r["regions"][0]["process"].update(excess="much"), "damaged"),
        (lambda r: r["regions"][0]["process"].update(code="x"), "damaged"),
        (lambda r: r["regions"][0]["counts"].update(weights=[0.4]), "damaged"),
        (lambda r: r["regions"][0]["marks"].update(radius_px=[0, 1]), "damaged"),
        (lambda r: r["regions"][0]["marked"].update(share=[0.6, 0.1]), "damaged"),
    ],
)
def test_damaged_files_of_layouts_are_refused(tmp_path, change, message):
    (tmp_path / "layout.json").write_text(damaged(change))
    with pytest.raises(InputError, match=message):
        read_layout(tmp_path / "layout.json")


def test_what_is_no_file_of_layouts_is_refused(tmp_path):
    with pytest.raises(InputError, match="there are no layouts"):
        read_layout(tmp_path / "layout.json")
    (tmp_path / "layout.json").write_text('{"format"')
    with pytest.raises(InputError, match="damaged"):
        read_layout(tmp_path / "layout.json")


def test_a_region_is_its_own_where_it_has_enough_cells():
    rng = np.random.default_rng(0)

    def tiles(process, counts, region, radius):
        look = replace(LOOK, mean=(np.log(radius), 2.5))
        return [
            KnownTile(one, np.column_stack(look.sample(len(one.yx), rng)), region)
            for one in simulated(process, counts, seed=len(region))
        ]

    dense = tiles(PointProcess(core_px=8.0, steepness=8.0), [25] * 40, "dense", 3.0)
    loose = tiles(PointProcess(core_px=4.0, steepness=8.0), [15] * 60, "loose", 2.0)
    rare = tiles(PointProcess(), [0, 1, 2, 0], "rare", 2.0)
    found = {one.name: one for one in fit_layout([*dense, *loose, *rare], 24.0).regions}
    assert found["dense"].process.core_px == pytest.approx(8.0, rel=0.15)
    assert found["loose"].process.core_px == pytest.approx(4.0, rel=0.25)
    assert found["dense"].marks.diameter_px == pytest.approx(6.0, rel=0.1)
    assert found["rare"].process == fit_layout([*dense, *loose, *rare], 24.0).only("rare").regions[0].process
    assert found["rare"].counts.mean_per_mpx == pytest.approx(3 / 4 / np.prod(SHAPE) * 1e6, rel=0.01)
    assert [found[name].tiles for name in ("dense", "loose", "rare")] == [40, 60, 4]
