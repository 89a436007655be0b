from __future__ import annotations

from pathlib import Path

import pytest

from volumetric.blocks.batches import Batches
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.plan import Facts, Plan
from volumetric.errors import TaskError


class Seen:
    """Notes which things it is given, and that it was called at all."""

    def __init__(self, out: Path | None = None) -> None:
        self.numbers: list[int] = []
        self.out = out

    def __call__(self, batch: range) -> Facts:
        self.numbers += batch
        if self.out is not None:
            self.out.touch()
        return {"things": len(batch)}


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (7, 1), (5, 100)])
def test_every_thing_is_in_one_batch(count: int, size: int) -> None:
    seen = Seen()
    batches = Batches("tiles", count, size, seen)
    assert len(batches.keys) == -(-count // size)
    assert sorted(batches.keys) == list(batches.keys)
    facts = [batches.task(key)().facts for key in batches.keys]
    assert seen.numbers == list(range(count))
    assert sum(fact["things"] for fact in facts) == count
    assert batches.layout == {"count": count, "size": size}


def test_a_batch_is_named_by_its_things() -> None:
    batches = Batches("tiles", 7, 3, lambda batch: None)
    assert [batches.task(key).where for key in batches.keys] == ["tiles 0 to 2", "tiles 3 to 5", "tiles 6 to 6"]


@pytest.mark.parametrize("count", [0, 5])
def test_a_plan_of_batches_does_each_once(count: int, tmp_path: Path) -> None:
    seen, out = Seen(tmp_path / "out"), tmp_path / "out"
    plan = Plan("stage", 1, {}, {}, (Batches("tiles", count, 2, seen),), (out,))
    for _ in range(2):
        execute(plan, tmp_path / "work", Execution())
    assert sorted(seen.numbers) == list(range(count))


def test_a_batch_that_fails_is_named_and_done_alone_the_next_time(tmp_path: Path) -> None:
    seen, out = Seen(tmp_path / "out"), tmp_path / "out"
    broken = True

    def function(batch: range) -> Facts:
        if broken and 3 in batch:
            raise ValueError("no such tile")
        return seen(batch)

    plan = Plan("stage", 1, {}, {}, (Batches("tiles", 5, 2, function),), (out,))
    with pytest.raises(TaskError, match="tiles 2 to 3"):
        execute(plan, tmp_path / "work", Execution())
    assert sorted(seen.numbers) == [0, 1, 4]
    broken = False
    execute(plan, tmp_path / "work", Execution())
    assert seen.numbers[-2:] == [2, 3]
    assert len(seen.numbers) == 5
