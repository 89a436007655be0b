"""What a crowd did, row by row: what makes sense is kept, all else is named with its line and reason."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd
import pytest

from tests.small_crowd import tile_of
from volumetric.crowd.clicks import REJECTED_COLUMNS, Crowd, checked
from volumetric.errors import InputError

SHAPES = {"a": (20, 30), "b": (10, 10)}
SHOWN = """tile,worker
a,ann
a,bob
b,ann
"""
CLICKS = """tile,worker,order,x,y
a,bob,0,5,6
a,ann,1,29.4,19.4
a,ann,0,-0.5,-0.5
b,ann,0,1.5,2
"""
PARTS = """tile,worker,left,top,width,height
a,ann,0,0,10,10
a,bob,10,5,20,15
"""


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(StringIO(text))


def check(clicks: str, shown: str = SHOWN) -> tuple[Crowd, list[tuple[object, ...]]]:
    """The crowd, and (table, line, reason) of rejected rows."""
    crowd, rejected = checked(table(clicks), table(shown), SHAPES)
    assert tuple(rejected.columns) == REJECTED_COLUMNS
    return crowd, [tuple(row) for row in rejected[["table", "line", "reason"]].itertuples(index=False)]


def test_clicks_are_kept_by_tile_and_in_the_order_in_which_they_were_made() -> None:
    crowd, rejected = check(CLICKS)
    assert rejected == []
    assert crowd.tiles == ("a", "b")
    assert crowd.workers == ("ann", "bob")
    a, b = crowd
    assert a.yx.tolist() == [[-0.5, -0.5], [19.4, 29.4], [6, 5]]
    assert a.worker.tolist() == [0, 0, 1]
    assert (a.tile, a.shape, a.viewers.tolist()) == ("a", (20, 30), [0, 1])
    assert b.yx.tolist() == [[2, 1.5]]
    assert b.views.tolist() == [[-0.5, 9.5, -0.5, 9.5]]


def test_rows_may_be_in_any_order() -> None:
    clicks, shown = table(CLICKS), table(SHOWN)
    crowd, _ = checked(clicks, shown, SHAPES)
    for seed in range(5):
        other, _ = checked(
            clicks.sample(frac=1, random_state=seed), shown.sample(frac=1, random_state=seed), dict(SHAPES)
        )
        assert other.workers == crowd.workers
        pd.testing.assert_frame_equal(other.clicks, crowd.clicks)
        for one, same in zip(other, crowd, strict=True):
            np.testing.assert_array_equal(one.seen(one.yx), same.seen(same.yx))


def test_time_tells_the_order_where_it_is_not_given_and_no_number_comes_last() -> None:
    times = "tile,worker,x,y,t_ms\na,ann,1,1,300\na,ann,2,2,\na,ann,3,3,9\n"
    assert check(times)[0].of_tile(0).yx[:, 1].tolist() == [3, 1, 2]
    both = "tile,worker,x,y,order,t_ms\na,ann,1,1,0,70\na,ann,2,2,0,60\na,ann,3,3,-1,90\n"
    assert check(both)[0].of_tile(0).yx[:, 1].tolist() == [3, 2, 1]
    neither = "tile,worker,x,y\na,ann,3,1\na,ann,2,2\n"
    assert check(neither)[0].of_tile(0).yx[:, 1].tolist() == [3, 2]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,ann,0,,4", "x and y must be numbers"),
        ("a,ann,0,nan,4", "x and y must be numbers"),
        ("a,ann,0,inf,4", "x and y must be numbers"),
        ("a,ann,0,left,4", "x and y must be numbers"),
        ("a,ann,0,4,12 px", "x and y must be numbers"),
        ("a,ann,0,-0.6,4", "outside its tile"),
        ("a,ann,0,29.5,4", "outside its tile"),
        ("a,ann,0,4,19.5", "outside its tile"),
        ("b,ann,0,25,4", "outside its tile"),
        ("c,ann,0,4,4", "there is no such tile"),
        (",ann,0,4,4", "no tile or no worker is named"),
        ("a, ,0,4,4", "no tile or no worker is named"),
        ("b,bob,0,4,4", "its worker was not shown this tile"),
        ("a,zoe,0,4,4", "its worker was not shown this tile"),
        ("a,bob,0,5,6", "given twice"),
    ],
)
def test_a_click_without_sense_is_named(row: str, reason: str) -> None:
    crowd, rejected = check(CLICKS + row + "\n")
    assert rejected == [("clicks", 6, reason)]
    assert len(crowd.clicks) == 4


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,ann,0,0,10,10", "given twice"),
        ("a,ann,0,0,0,10", "nothing of its tile was shown"),
        ("a,ann,0,0,10,-3", "nothing of its tile was shown"),
        ("a,ann,30,0,10,10", "nothing of its tile was shown"),
        ("a,ann,,0,10,10", "left, top, width and height must be numbers"),
        ("a,ann,0,0,wide,10", "left, top, width and height must be numbers"),
        ("z,ann,0,0,10,10", "there is no such tile"),
        ("a,,0,0,10,10", "no tile or no worker is named"),
    ],
)
def test_a_view_without_sense_is_named(row: str, reason: str) -> None:
    crowd, rejected = check("tile,worker,x,y\na,ann,1,1\n", PARTS + row + "\n")
    assert rejected == [("shown", 4, reason)]
    assert len(crowd.shown) == 2


def test_all_that_is_wrong_is_listed_clicks_first() -> None:
    crowd, rejected = check("tile,worker,x,y\na,ann,1,1\na,ann,x,1\na,ann,2,2\nq,ann,1,1\n", SHOWN + "z,ann\n")
    assert rejected == [
        ("clicks", 3, "x and y must be numbers"),
        ("clicks", 5, "there is no such tile"),
        ("shown", 5, "there is no such tile"),
    ]
    assert len(crowd.clicks) == 2


def test_names_are_text_without_blanks_around() -> None:
    clicks, shown = "tile,worker,x,y\n1 , 007,1,1\n", "tile,worker\n1,007\n"
    crowd, rejected = checked(
        pd.read_csv(StringIO(clicks), dtype=str), pd.read_csv(StringIO(shown), dtype=str), {"1": (5, 5)}
    )
    assert len(rejected) == 0
    assert crowd.workers == ("007",)


def test_tables_may_be_parts_of_larger_ones() -> None:
    """Numbers of rows that occur twice are no matter; lines are counted from the first row that is given."""
    clicks = table(CLICKS)
    crowd, rejected = checked(pd.concat([clicks, clicks.assign(worker="zoe")]), table(SHOWN)[::-1], SHAPES)
    assert len(crowd.clicks) == 4
    assert rejected["line"].tolist() == [6, 7, 8, 9]


def test_a_crowd_that_did_not_click() -> None:
    crowd, rejected = check("tile,worker,x,y\n")
    assert len(rejected) == 0
    assert crowd.workers == ("ann", "bob")
    assert [len(tile.yx) for tile in crowd] == [0, 0]
    assert crowd.of_tile(0).seen(np.array([[3.0, 3.0]])).tolist() == [[True, True]]


def test_nobody_was_shown_anything() -> None:
    crowd, rejected = check("tile,worker,x,y\n", "tile,worker\n")
    assert crowd.workers == ()
    assert len(rejected) == 0
    assert [tile.seen(np.zeros((2, 2))).shape for tile in crowd] == [(2, 0), (2, 0)]
    assert checked(table("tile,worker,x,y\n"), table("tile,worker\n"), {})[0].tiles == ()


@pytest.mark.parametrize(
    ("clicks", "shown", "message"),
    [
        ("tile,worker,x\na,ann,1\n", SHOWN, "the table of clicks lacks y: expected tile, worker, x, y"),
        (CLICKS, "worker\nann\n", "the table of shown lacks tile"),
        (CLICKS, "tile,worker,left,top\na,ann,0,0\n", "parts of tiles need all of left, top, width, height"),
        ("tile,worker,x,y\na,ann,,1\nb,bob,1,1\n", SHOWN, "no row of the table of clicks .*line 2 .*must be numbers"),
        (CLICKS, "tile,worker\nz,ann\n", "no row of the table of shown .*line 2 .tile 'z'.*ann.*no such tile"),
        (CLICKS, "tile,worker\n", "no row of the table of clicks .*was not shown this tile"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(clicks: str, shown: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(clicks, shown)


def test_seen_and_not_clicked_is_not_never_shown() -> None:
    """Ann saw the upper left, Bob the lower right, Cem both, the second one twice."""
    shown = PARTS + "a,cem,0,0,10,10\na,cem,10,5,20,15\na,cem,12,5,5,5\n"
    crowd, _ = check("tile,worker,x,y\na,bob,29,19\na,cem,3,3\n", shown)
    tile = crowd.of_tile(0)
    places = np.array([[3.0, 3.0], [9.49, 9.49], [9.5, 9.5], [19.0, 29.0], [2.0, 20.0], [7.0, 13.0]])
    expected = [[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1], [0, 0, 0], [0, 1, 1]]
    assert tile.seen(places).astype(int).tolist() == expected
    assert crowd.of_tile(1).seen(places).shape == (6, 0)


def test_a_click_beyond_the_part_that_was_shown_is_named() -> None:
    _, rejected = check("tile,worker,x,y\na,ann,9.4,9\na,ann,9.5,9\na,bob,9.5,4.5\na,bob,9.4,5\n", PARTS)
    reason = "its worker was not shown this place of the tile"
    assert rejected == [("clicks", 3, reason), ("clicks", 5, reason)]


def test_a_view_ends_where_its_tile_ends() -> None:
    crowd, _ = check("tile,worker,x,y\n", "tile,worker,left,top,width,height\na,ann,-5,-5,100,10\n")
    assert crowd.of_tile(0).views.tolist() == [[-0.5, 4.5, -0.5, 29.5]]


def test_of_clicks_of_one_worker_on_one_place_the_first_is_kept() -> None:
    """A chain of clicks: what is near a repeat, but not near the first, is a click of its own."""
    tile = tile_of([[0, 0], [0, 2], [0, 4], [0, 1], [50, 50]], [0, 0, 0, 1, 0])
    once = tile.without_repeats(2)
    assert once.yx.tolist() == [[0, 0], [0, 4], [0, 1], [50, 50]]
    assert once.worker.tolist() == [0, 0, 1, 0]
    assert len(tile.without_repeats(1.9).yx) == len(tile.without_repeats(0).yx) == 5
    assert len(tile_of([], []).without_repeats(3).yx) == 0
