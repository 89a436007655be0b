"""File names of slices: the number that varies is the slice; gaps, copies, channels, tiles and strays are named."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.storage.sources.channel_pattern import grouped
from volumetric.storage.sources.numbering import Numbering, number_slices

N = range(12)


def numbered(names: Iterable[str]) -> Numbering:
    """The files in the order found, whatever order they came in."""
    files = [Path("brain") / f"{name}.tif" for name in names]
    random.Random(0).shuffle(files)
    return number_slices(files)


def refused(names: Iterable[str]) -> str:
    with pytest.raises(InputError) as error:
        numbered(names)
    return str(error.value)


IN_ORDER = {
    "channel behind": [f"brain_Z{z:04}_C01" for z in N],
    "two planes a section": [f"section_{s:03}_{p:02}" for s in range(1, 7) for p in (1, 2)],
    "planes written before their section": [f"plane_{p}_section_{s:03}" for s in N for p in (1, 2)],
    "planes behind a dot": [f"sec_{s}.{p}" for s in range(1, 6) for p in (1, 2)],
    "a section's constant plane": [f"section_{s:03}_01" for s in N],
    "tenths of a micrometre": [f"z{z * 2.5:07.1f}um" for z in N],
    "micrometres without zeros": [f"z{z * 2.5:g}um" for z in N],
    "hundredths": [f"z{z * 0.25:.2f}" for z in N],
    "a decimal comma": [f"z{z * 2.5:.1f}".replace(".", ",") for z in N],
    "rounded micrometres": [f"z{int(z * 2.5):05}" for z in N],
    "rounded up": [f"z{round(z * 3.3):05}um" for z in N],
    "negative": [f"z{z * 5 - 20}um" for z in N],
    "negative tenths": [f"z{z * 2.5 - 10:.1f}" for z in N],
    "steps of ten": [f"b{z * 10}" for z in N],
    "from 17 on": [f"b_{z + 17}" for z in N],
    "a time behind": [f"b_{z:04}_{t}" for z, t in enumerate((101530, 101545, 101600, 101616, 101631, 101700))],
    "one second for two slices": [f"b_{z:04}_T{101530 + z // 2}" for z in N],
    "date and time before": [f"2020-11-30_10-15-{10 + z * 3:02}_brain_{z:03}" for z in N],
    "midnight": [f"2020-11-{30 if z < 6 else 31}_brain_{z:03}" for z in N],
    "only dates and times": [f"scan_20201130_10{15 + z // 4:02}{z % 4 * 14 + z % 3:02}" for z in N],
    "times over an hour": [f"2020-11-30T{10 + z // 6}-{z % 6 * 10:02}-00" for z in N],
    "seconds of a computer's clock": [f"b_{1606731330 + z * 7 + z % 2}" for z in N],
    "slice and time rise together": [f"Z{z:03}_T{z:03}" for z in N],
    "a constant time": [f"Z{z:03}_T0" for z in N],
    "one tile": [f"07-04-59_b_UltraII[00 x 00]_C00_xyz-Table Z{z:04}.ome" for z in N],
    "one place of a stage": [f"000000_002000_{z * 10:06}" for z in N],
    "numbered by a file manager": [f"brain ({z})" for z in N],
    "chapters": [f"b_1.{z}" for z in N],
}


@pytest.mark.parametrize("names", IN_ORDER.values(), ids=IN_ORDER)
def test_slices_are_put_in_order(names: list[str]) -> None:
    assert [path.stem for path in numbered(names).files] == names


WITHOUT_DOUBT = set(IN_ORDER) - {
    "two planes a section",
    "planes written before their section",
    "planes behind a dot",
    "only dates and times",
    "times over an hour",
}


@pytest.mark.parametrize("name", IN_ORDER)
def test_what_names_leave_open_is_said(name: str) -> None:
    assert bool(numbered(IN_ORDER[name]).doubts) == (name not in WITHOUT_DOUBT)


GAPLESS = {"a time behind", "only dates and times", "times over an hour"}


@pytest.mark.parametrize("name", sorted(set(IN_ORDER) - GAPLESS))
def test_a_lost_slice_is_named_by_its_neighbours(name: str) -> None:
    names = IN_ORDER[name]
    said = refused([*names[:4], *names[5:]])
    assert f"slices are missing between {names[3]}.tif and {names[5]}.tif" in said
    assert f"1 of {len(names)}" in said


def test_several_gaps_are_all_named() -> None:
    names = IN_ORDER["channel behind"]
    said = refused(name for i, name in enumerate(names) if i not in {4, 5, 8})
    assert "between brain_Z0003_C01.tif and brain_Z0006_C01.tif (2)" in said
    assert "between brain_Z0007_C01.tif and brain_Z0009_C01.tif" in said


@pytest.mark.parametrize(("lost", "said"), [(0, "before section_001_02.tif"), (11, "after section_006_01.tif")])
def test_a_plane_missing_at_an_end_is_named(lost: int, said: str) -> None:
    names = IN_ORDER["two planes a section"]
    assert said in refused(name for i, name in enumerate(names) if i != lost)


def test_a_missing_section_is_named() -> None:
    names = IN_ORDER["two planes a section"]
    assert "between section_002_02.tif and section_004_01.tif (2)" in refused(names[:4] + names[6:])


REFUSED = {
    "channels": ([f"b_Z{z:04}_C{c:02}" for z in N for c in (0, 1)], "2 channels in one folder: C00 (12 files", "_C{c}"),
    "channels by ch": ([f"b_ch{c}_{z}" for z in N for c in (1, 2)], "2 channels", "_ch{c}"),
    "wavelengths": ([f"b_{z:04}_{w}" for z in N for w in (405, 488)], "2 channels in one folder: 405", "_{c}"),
    "wavelengths first": ([f"{w}_{z:04}" for z in N for w in (488, 561, 640)], "3 channels", "{c}_"),
    "wavelengths in nm": ([f"b_{z:04}_{w}nm" for z in N for w in (486, 563)], "2 channels", "_{c}"),
    "channels with a running number": ([f"b_C{z % 2}_{z:04}" for z in N], "2 channels", "_C{c}"),
    "words": ([f"b_{z}_{w}" for z in N for w in ("DAPI", "GFP")], "2 series of names: 12 as b_0_DAPI.tif", "_{c}"),
    "words first": ([f"{w}-{z:03}" for z in N for w in ("red", "green")], "2 series of names", "{c}-"),
    "two brains": ([f"m{m}_{z}" for m in (1, 2) for z in N], "2 series of names in one folder: m1", None),
    "two lengths": ([f"A_{z}" for z in N] + [f"B_1_{z}" for z in N], "2 series of names", None),
    "images for each z": ([f"Z{z:03}_{i}" for z in N for i in (1, 2)], "2 images for each Z", None),
    "times": ([f"Z{z:03}_T{t}" for z in N for t in (0, 1)], "2 time points in one folder: T0", None),
    "UltraII tiles": (
        [f"b_UltraII[0{r} x 0{c}]_C00 Z{z:04}" for r in (0, 1) for c in (0, 1) for z in N],
        "4 unst",
        None,
    ),
    "TeraStitcher tiles": ([f"{x:06}_{y:06}_{z:06}" for x in (0, 9) for y in (0, 9) for z in N], "4 unstitched", None),
    "places of a stage": ([f"b_{x:06}_{y:06}" for x in (0, 1000) for y in (0, 1000)], "4 unstitched tiles", None),
    "mesoSPIM tiles": ([f"b_Mag4x_Tile{i}_Ch488_Sh0_Rot0" for i in range(4)], "4 unstitched tiles", None),
    "mesoSPIM sides": ([f"b_Tile0_Ch488_Sh{i}_Rot0" for i in range(2)], "2 views", None),
    "positions": ([f"Pos{p}_z{z:03}" for p in (0, 1) for z in N], "2 unstitched tiles", None),
    "a stack a channel": (["brain_C0", "brain_C1"], "2 channels", None),
    "a copy": ([*IN_ORDER["steps of ten"], "b30 copy"], "b30 copy.tif looks like a copy of b30.tif", None),
    "a second download": ([*IN_ORDER["steps of ten"], "b30 (1)"], "b30 (1).tif looks like a copy", None),
    "a copy in Windows": ([*IN_ORDER["steps of ten"], "b30 - Copy"], "b30 - Copy.tif looks like a copy", None),
    "padded twice": ([*IN_ORDER["from 17 on"], "b_020"], "b_020.tif", None),
    "a preview": ([*IN_ORDER["steps of ten"], "preview"], "preview.tif in brain is not named as the other", None),
    "letters and digits at random": (["77aa", "a8f3", "b1c9"], "show no order", None),
    "uneven": (["z1", "z4", "z5", "z9", "z20"], "between z1.tif and z4.tif", None),
    "one between": (["z1", "z2", "z3", "z3.5", "z4"], "goes in steps of 0.5", None),
    "far ahead": ([*(f"scan_{z:06}" for z in N), "scan_900000"], "between scan_000011.tif and scan_900000.tif", None),
}


@pytest.mark.parametrize(("names", "said", "pattern"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_series_of_slices_is_refused(names: list[str], said: str, pattern: str | None) -> None:
    message = refused(names)
    assert said in message
    assert ("--channel-pattern" in message) == (pattern is not None)
    if pattern:
        assert f'--channel-pattern "{pattern}"' in message


@pytest.mark.parametrize("name", [name for name, (_, _, pattern) in REFUSED.items() if pattern])
def test_the_pattern_that_is_offered_reads_the_channels(name: str) -> None:
    names, message, _ = REFUSED[name]
    found = re.search(r'--channel-pattern "([^"]+)"', refused(names))
    assert found
    channels = grouped([Path("brain") / f"{name}.tif" for name in names], found[1])
    assert sum(len(files) for files in channels.values()) == len(names)
    assert len(channels) == int(message[0])
    assert len({len(number_slices(files).files) for files in channels.values()}) == 1


def test_names_without_numbers_are_taken_in_their_order_with_a_doubt() -> None:
    found = number_slices([Path("anterior.tif"), Path("posterior.tif")])
    assert [path.stem for path in found.files] == ["anterior", "posterior"]
    assert "carry no numbers" in found.doubts[0]


def test_many_files_marked_as_channels_are_slices_with_a_doubt() -> None:
    assert "is marked as a channel" in numbered(f"C{z:02}" for z in N).doubts[0]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("_C", "needs {c} once"), ("{c}_{c}", "needs {c} once"), ("_ch{c}", "does not fit b_0_C0"), ("_{c}_", "finds 12")],
)
def test_a_pattern_that_does_not_fit_is_refused(pattern: str, message: str) -> None:
    files = [Path("brain") / f"b_{z}_C{c}.tif" for z in N for c in (0, 1)]
    with pytest.raises(InputError, match=re.escape(message)):
        grouped(files, pattern)


words = st.sampled_from(["brain", "m12", "Mouse 7", "2020-11-30", "a.b", "x1", "Ex488", "ch2", "2048x2048"])
labels = st.sampled_from(["", "z", "Z", "slice", "img", "s", "plane-", "sec_"])
marks = st.sampled_from(["_", "-", " ", "__"])


@st.composite
def slice_names(draw: st.DrawFn) -> list[str]:
    """Names of slices: constant words and numbers around the one that varies, padded or not."""
    count = draw(st.integers(3, 40))
    start, step = draw(st.integers(0, 2000)), draw(st.sampled_from([1, 1, 1, 2, 5, 10, 50]))
    width = draw(st.sampled_from([0, 4, 6]))
    before = draw(st.lists(words, max_size=2))
    after = draw(st.lists(st.sampled_from(["C01", "ch0", "T000", "raw", "488", "05", "copy 2"]), max_size=2))
    label, mark = draw(labels), draw(marks)
    clock = draw(st.booleans())
    names = []
    for i in range(count):
        number = f"{label}{start + i * step:0{width}}"
        time = [f"{100000 + 100 * (i // 4) + i % 4 * 13 + i % 3}"] if clock else []
        names.append(mark.join([*before, number, *after, *time]))
    return names


@settings(max_examples=150, deadline=None)
@given(slice_names(), st.data())
def test_any_numbering_is_read_in_order_and_its_gaps_are_named(names: list[str], data: st.DataObject) -> None:
    assert [path.stem for path in numbered(names).files] == names
    inside = range(1, len(names) - 1)
    lost = data.draw(st.sets(st.sampled_from(inside), max_size=max(0, (len(names) - 2) // 3)))
    left = [name for i, name in enumerate(names) if i not in lost]
    gaps = [i for i in inside if i in lost and i - 1 not in lost]
    if not gaps or len(left) < 4 or len(lost) * 2 >= len(names):
        return
    first = gaps[0]
    after = next(i for i in range(first, len(names)) if i not in lost)
    assert f"between {names[first - 1]}.tif and {names[after]}.tif" in refused(left)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 30), st.integers(2, 9), st.sampled_from(["section_", "sec", "slab-", ""]), st.data())
def test_any_grid_of_sections_and_planes_is_read_in_order(
    sections: int, planes: int, label: str, data: st.DataObject
) -> None:
    sections = max(sections, planes)
    first = data.draw(st.integers(0, 300))
    names = [f"{label}{first + s:03}_{p:02}" for s in range(sections) for p in range(planes)]
    assert [path.stem for path in numbered(names).files] == names
    lost = data.draw(st.integers(0, len(names) - 1))
    said = refused(name for i, name in enumerate(names) if i != lost)
    assert any(f"{names[i]}.tif" in said for i in (lost - 1, lost + 1) if 0 <= i < len(names))
    assert f"1 of {len(names)}" in said
