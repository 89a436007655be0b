"""Design files, levels of the hierarchy and the dataset: what is read and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.statistics.dataset import parents_of, study_dataset
from volumetric.statistics.design import Design, parse_design
from volumetric.statistics.level import cut, default_depth, divisions, overlapping
from volumetric.statistics.patterns import patterns

GOOD = "brain,group,path,age,sex\na,ctl,r/a,8,m\nb,ctl,r/b,9,f\nc,drug,r/c,8,f\nd,drug,/abs/d,9.5,m\n"

TREE = {1: None, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4}


def design_of(text: str, reference: str | None = None) -> Design:
    return parse_design(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False), Path("/study"), reference)


def test_a_design_has_groups_paths_and_terms() -> None:
    design = design_of(GOOD)
    assert design.reference == "ctl"
    assert design.contrasts == ("drug",)
    assert [str(path) for path in design.paths] == ["/study/r/a", "/study/r/b", "/study/r/c", "/abs/d"]
    assert design.terms == ("intercept", "drug", "age", "sex=f")
    assert design.matrix[:, 1].tolist() == [0, 0, 1, 1]
    assert design.matrix[:, 3].tolist() == [0, 1, 1, 0]
    assert design.matrix[:, 2].mean() == pytest.approx(0)
    assert design.covariates == {"age": (8.0, 9.0, 8.0, 9.5), "sex": ("m", "f", "f", "m")}


def test_another_reference_turns_the_contrast() -> None:
    design = design_of(GOOD, "drug")
    assert design.group_names == ("drug", "ctl")
    assert design.matrix[:, 1].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brain,group\na,ctl\n", "lacks the columns path"),
        ("brain,group,path\n", "lists no brain"),
        ("brain,group,path\na,x,p\nb,x,q\n", "at least two groups"),
        ("brain,group,path\na,x,p\na,y,q\n", r"brain 'a' stands in lines 2, 3"),
        ("brain,group,path\na,x,p\nb,y,./p\n", r"path '/study/p' stands in lines 2, 3"),
        ("brain,group,path\na,x,p\nb,,q\n", r"column 'group' of the design is empty in line 3"),
        ("brain,group,path,age\na,x,p,3\nb,y,q,old\nc,y,r,4\n", r"'age' mixes numbers with text.* in line 3"),
        ("brain,group,path,age\na,x,p,3\nb,y,q,\nc,y,r,4\n", r"column 'age' of the design is empty in line 3"),
        ("brain,group,path,b\na,x,p,u\nb,x,q,u\nc,y,r,v\nd,y,s,v\n", "'b' cannot be told from the group"),
        ("brain,group,path,b\na,x,p,u\nb,x,q,u\nc,y,r,u\n", "'b' is 'u' for every brain"),
        ("brain,group,path,\na,x,p,u\nb,y,q,v\n", "has no name"),
        ("brain,group,path,age\na,x,p,3\nb,y,q,NA\n", r"'age' of the design is empty in line 3 \('NA'\), for 'b'"),
        ("brain,group,path\na,x,p\nb,na,q\nc,y,r\n", r"'group' of the design is empty in line 3 \('na'\), for 'b'"),
        ("brain,group,path\na,Drug,p\nb,drug,q\n", "'Drug' and 'drug' of the design differ in capitals only"),
        ("brain,group,path\na,wild type,p\nb,wild-type,q\n", "differ in blanks or signs only"),
        ("brain,group,path,b\na,x,p,B1\nb,y,q,b1\nc,x,r,b2\n", "categories of the covariate 'b', 'B1' and 'b1'"),
        ("brain,group,path\na,contrl,p\nb,control,q\nc,control,r\nd,drug,s\n", "spelled almost as 'control'"),
        ("brain,group,path\na,ctl,p\nb,control,q\nc,control,r\n", "'ctl', would be the reference but has one brain"),
        ("brain,group,path\na,x,p\nA,y,q\n", r"brain 'a' and 'A' stands in lines 2, 3"),
    ],
)
def test_designs_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        design_of(text)


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(InputError, match="'saline' is not in the design, whose groups are ctl, drug"):
        design_of(GOOD, "saline")


def test_cuts_of_a_hierarchy() -> None:
    assert [cut(TREE, depth) for depth in range(4)] == [(1,), (2, 3), (3, 4, 5), (3, 5, 6, 7)]
    assert cut(TREE, 3, within=[4, 6, 7]) == (6, 7)
    assert cut(TREE, 9) == cut(TREE, 3)
    assert [default_depth(TREE, most) for most in (1, 2, 3, 4)] == [0, 1, 2, 3]
    for depth, within in ((-1, None), (0, (4,))):
        with pytest.raises(InputError, match="no region lies at depth"):
            cut(TREE, depth, within)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30), st.integers(0, 12))
def test_every_leaf_is_below_exactly_one_region_of_a_cut(links: list[int], depth: int) -> None:
    parents: dict[int, int | None] = {0: None}
    for number, link in enumerate(links, start=1):
        parents[number] = link % number
    level = set(cut(parents, depth))
    assert not overlapping(parents, level)
    for leaf in set(parents) - set(parents.values()):
        line: list[int | None] = [leaf]
        while line[-1] is not None:
            line.append(parents[line[-1]])
        assert len(level & set(line)) == 1


def test_overlaps_and_divisions() -> None:
    assert overlapping(TREE, [2, 6, 3]) == [(2, 6)]
    assert divisions(TREE, [3, 5, 6, 7], 2) == dict.fromkeys((3, 5, 6, 7), 1)
    assert divisions(TREE, [3, 5, 6, 7], 3) == {3: 3, 5: 5, 6: 4, 7: 4}


def test_columns_alike_are_found_together() -> None:
    present = np.array([[True, False, True, False], [True, True, True, True]])
    found = {tuple(row.tolist()): columns.tolist() for row, columns in patterns(present)}
    assert found == {(True, True): [0, 2], (False, True): [1, 3]}
    assert list(patterns(np.zeros((2, 0), dtype=bool))) == []


def table_of(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(r, side) for r in (1, 2, 3) for side in ("left", "right", "both")]
    return pd.DataFrame(
        {
            "region_id": [r for r, _ in rows],
            "acronym": [f"r{r}" for r, _ in rows],
            "name": [f"region {r}" for r, _ in rows],
            "parent_id": [np.nan if r == 1 else 1 for r, _ in rows],
            "depth": [int(r > 1) for r, _ in rows],
            "hemisphere": [side for _, side in rows],
            **{name: rng.integers(1, 50, 9) for name in ("count", "count_own", "volume_mm3", "coverage")},
            **dict.fromkeys(("expected", "expected_low", "expected_high"), np.nan),
            "density_per_mm3": rng.uniform(1, 9, 9),
        }
    )


def test_the_dataset_holds_every_table() -> None:
    design, tables = design_of(GOOD), [table_of(seed) for seed in range(4)]
    tables[2] = tables[2].sample(frac=1, random_state=0)
    dataset = study_dataset(design, tables)
    assert dict(dataset.sizes) == {"brain": 4, "region": 3, "hemisphere": 3}
    for brain, table in zip(design.brains, tables, strict=True):
        for row in table.to_dict("records"):
            found = dataset.sel(brain=brain, region=row["region_id"], hemisphere=row["hemisphere"])
            assert float(found["count"]) == row["count"]
            assert float(found["density_per_mm3"]) == row["density_per_mm3"]
    assert parents_of(dataset) == {1: None, 2: 1, 3: 1}
    assert dataset["age"].values.tolist() == [8, 9, 8, 9.5]
    assert dataset["density_per_mm3"].attrs["units"] == "mm-3"


def test_tables_that_do_not_belong_together_are_refused() -> None:
    design, tables = design_of(GOOD), [table_of(seed) for seed in range(4)]
    with pytest.raises(InputError, match=r"'a' and 'c' were counted with different atlases: 1 region ids"):
        study_dataset(design, [*tables[:2], tables[2][tables[2]["region_id"] != 3], tables[3]])
    with pytest.raises(InputError, match=r"brain 'b' must have one row .* 9 rows, got 8"):
        study_dataset(design, [tables[0], tables[1].iloc[1:], *tables[2:]])
    clash = design_of(GOOD.replace("age", "depth"))
    with pytest.raises(InputError, match="'depth' has a name that the tables use"):
        study_dataset(clash, tables)
