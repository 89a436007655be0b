from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.atlas.loader import load_atlas
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.selection import select, select_with_descendants, with_descendants
from volumetric.errors import InputError

BRAIN = Ontology(
    (
        Region(997, "root", "root", None),
        Region(315, "Isocortex", "Isocortex", 997),
        Region(1089, "HPF", "Hippocampal formation", 997),
        Region(382, "CA1", "Field CA1", 1089),
        Region(463, "CA3", "Field CA3", 1089),
        Region(91, "CUL4, 5", "Lobules IV-V", 997),
        Region(92, "CUL4", "Lobule IV", 91),
        Region(12, "3", "Third layer, outer part", 315),
        Region(3, "x", "region with the id 3", 315),
        Region(13, "4", "Fourth  layer", 315),
        Region(20, "Or", "stratum oriens", 382),
        Region(21, "OR", "orbital part", 315),
        Region(30, "same", "first of a kind", 997),
        Region(31, "same", "second of a kind", 997),
        Region(40, "-minus", "odd acronym", 997),
    )
)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Isocortex,HPF", (315, 1089)),
        ("HPF , Isocortex, HPF", (315, 1089)),
        ("1089, 315", (315, 1089)),
        ("315, HPF", (315, 1089)),
        ("hpf, ISOCORTEX", (315, 1089)),
        ("Hippocampal formation", (1089,)),
        ("hippocampal   FORMATION,", (1089,)),
        ("CUL4, 5", (91,)),
        ("CUL4,5,HPF", (1089, 91)),
        ("HPF, CUL4", (1089, 92)),
        ("Third layer,outer part, HPF", (12, 1089)),
        ("fourth layer", (13,)),
        ("4", (13,)),
        ("13", (13,)),
        ("id:3", (3,)),
        ("ID:12", (12,)),
        ("Or", (20,)),
        ("OR", (21,)),
        ("id:31", (31,)),
        ("-minus", (40,)),
        ("CA1, CA3, -CA3", (382,)),
        ("CA1, - Hippocampal formation", ()),
        ("root, -Isocortex", (997,)),
    ],
)
def test_what_people_write(text: str, ids: tuple[int, ...]) -> None:
    assert select(BRAIN, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("HPF", (1089, 382, 20, 463)),
        ("CA1, HPF", (1089, 382, 20, 463)),
        ("HPF, -CA1", (1089, 463)),
        ("-CA1, HPF", (1089, 463)),
        ("-Isocortex, -HPF", (997, 91, 92, 30, 31, 40)),
        ("CUL4, 5", (91, 92)),
    ],
)
def test_with_everything_below(text: str, ids: tuple[int, ...]) -> None:
    assert select_with_descendants(BRAIN, text) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HPX", r"no region 'HPX': did you mean HPF \(Hippocampal formation\)\?"),
        ("HPF, isocortx", r"no region 'isocortx': did you mean Isocortex"),
        ("Hipocampal formaton", "did you mean HPF"),
        ("-CA9", r"no region 'CA9': did you mean CA[13] \(Field"),
        ("99999", "no region '99999': none is like it"),
        ("or", "may be 2 regions: .*id:21 is OR.*id:20 is Or"),
        ("same", "may be 2 regions: id:30 is same.*id:31 is same.*by its id"),
        ("3", r"may be 2 regions: .*id:3 is x \(region with the id 3\)"),
        ("", "no region is named"),
        (" , ,", "no region is named"),
        ("-", "no region ''"),
    ],
)
def test_what_cannot_be_meant(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        select(BRAIN, text)


def test_lookups_of_the_hierarchy() -> None:
    assert BRAIN.descendants(1089) == (382, 20, 463)
    assert BRAIN.descendants(20) == ()
    assert BRAIN.by_acronym["same"] == (30, 31)
    assert BRAIN.by_acronym["HPF"] == (1089,)
    assert BRAIN[1089].acronym == "HPF"
    assert BRAIN.children[None] == (997,)
    assert with_descendants(BRAIN, [382, 1089]) == (1089, 382, 20, 463)


@st.composite
def trees(draw: st.DrawFn) -> Ontology:
    ids = draw(st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=12, unique=True))
    texts = st.text("ab 4,-:", min_size=1, max_size=5)
    parents = [None if i == 0 else draw(st.sampled_from([None, *ids[:i]])) for i in range(len(ids))]
    regions = [Region(r, draw(texts), draw(texts), p) for r, p in zip(ids, parents, strict=True)]
    return Ontology(tuple(draw(st.permutations(regions))))


@given(trees(), st.data())
def test_any_set_of_regions_can_be_written_by_id(ontology: Ontology, data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.sampled_from(ontology.ids), min_size=1))
    away = data.draw(st.sets(st.sampled_from(ontology.ids)))
    text = ", ".join([*(f"id:{i}" for i in chosen), *(f"-id:{i}" for i in away)])
    below = {i for i in ontology.ids if i in away or away & set(ontology.ancestors(i))}
    order = [region.region_id for region in ontology.in_order()]
    assert select(ontology, text) == tuple(i for i in order if i in chosen - below)
    wide = {i for i in ontology.ids if i in chosen or chosen & set(ontology.ancestors(i))}
    assert select_with_descendants(ontology, text) == tuple(i for i in order if i in wide - below)


@given(trees())
def test_descendants_are_those_who_have_it_as_ancestor(ontology: Ontology) -> None:
    for region_id in ontology.ids:
        assert set(ontology.descendants(region_id)) == {i for i in ontology.ids if region_id in ontology.ancestors(i)}
    assert sorted(i for below in ontology.children.values() for i in below) == sorted(ontology.ids)


@given(trees(), st.text("ab 4,-:", max_size=12))
def test_any_text_gives_regions_or_an_input_error(ontology: Ontology, text: str) -> None:
    try:
        chosen = select(ontology, text)
    except InputError:
        chosen = ()
    assert set(chosen) <= set(ontology.ids)


def test_regions_of_a_real_atlas_by_acronym_and_name(data_dir: Path) -> None:
    ontology = load_atlas("allen_mouse_200um", data_dir / "atlas").ontology
    assert any("," in region.acronym for region in ontology.regions)
    for region in ontology.regions[::12]:
        assert select(ontology, region.acronym) == (region.region_id,)
        assert select(ontology, region.name) == (region.region_id,)
    everything = ",".join(region.acronym for region in ontology.regions)
    assert select(ontology, everything) == tuple(region.region_id for region in ontology.in_order())
