"""The page of all measurements: up to date, complete, and honest about what is not measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.render import HERE, NONE, read_questions, render, written

README = """# Benchmarks

| run | question | result |
|---|---|---|
| `one` | how fast? | `results/fast.json` |
| `two` | how large? | not measured yet |
| `three` | how good? | `results/good.json` |

| another | table | here |
|---|---|---|
| 1 | 2 | 3 |
"""


def write(folder: Path, **results: object) -> Path:
    (folder / "README.md").write_text(README)
    (folder / "results").mkdir()
    for name, content in results.items():
        (folder / "results" / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_the_page_is_what_the_results_say() -> None:
    assert (HERE / "RESULTS.md").read_text(encoding="utf-8") == render(HERE)


def test_every_question_has_figures_or_is_not_measured() -> None:
    sections = render(HERE).split("\n## ")[1:]
    questions = read_questions(HERE / "README.md")
    assert len(sections) == len(questions) > 15
    for section, question in zip(sections, questions, strict=True):
        assert question.command in section
        assert (f"**{NONE}**" in section) == (question.result is None)
        assert ("| --- |" in section) == (question.result is not None)


def test_any_file_is_shown(tmp_path: Path) -> None:
    machine = {"cpu": "Z80", "cores": 1, "memory_bytes": 2**30}
    rows = [{"way": "a", "peak_memory_bytes": 2_000_000, "rate": {"of": 0.123456}}, {"way": "b", "f1": [0.5, 0.4, 0.6]}]
    page = render(write(tmp_path, fast={"date": "1999-12-31", "machine": machine, "results": rows}))
    assert page.split("## How fast?\n")[1] == (
        "\n`one`\n\n1999-12-31. Z80, 1 core, 1 GiB\n\n"
        "| way | peak memory MB | rate of | f1 |\n| --- | --- | --- | --- |\n"
        "| a | 2 | 0.1235 | – |\n| b | – | – | 0.5 (0.4 to 0.6) |\n\n"
        "## How large?\n\n`two`\n\n**not measured**\n\n## How good?\n\n`three`\n\n**not measured**\n"
    )


def test_a_result_without_a_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no question for the results other"):
        render(write(tmp_path, other={}))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (True, "yes"), (1234567, "1,234,567"), (7e-13, "7e-13"), ([16, 32], "16 x 32"), ([0.5] * 3, "0.5")],
)
def test_figures(value: object, text: str) -> None:
    assert written(value) == text
