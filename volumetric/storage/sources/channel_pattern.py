"""Channels that lie in one folder, told apart by a part of the names: `--channel-pattern "_C{c}"`.

A pattern is a part of a file's name: `{c}` stands for the channel, a whole number or a word, `*` for anything. Where
it fits
at several places, the last one counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from natsort import natsorted

from volumetric.errors import InputError
from volumetric.storage.sources.names import MOST_CHANNELS, Column

CHANNEL = "{c}"
WORD = r"(?P<c>(?<!\d)\d+(?!\d)|[^\W\d_][^\W_]*)"


def grouped(files: Sequence[Path], pattern: str) -> dict[str, list[Path]]:
    """The files of each channel; raises `InputError` for a pattern without `{c}` or that does not fit a name."""
    expression = compiled(pattern)
    groups: dict[str, list[Path]] = {}
    for path in files:
        found = expression.match(path.stem)
        if found is None:
            raise InputError(
                f"--channel-pattern {pattern!r} does not fit {path.name}: it is a part of every name, with {CHANNEL} "
                "where the channel stands and * for anything"
            )
        groups.setdefault(found["c"], []).append(path)
    if len(groups) > MOST_CHANNELS:
        raise InputError(
            f"--channel-pattern {pattern!r} finds {len(groups)} channels in {files[0].parent}, "
            f"{', '.join(list(groups)[:5])} and more: expected at most {MOST_CHANNELS}. Does {CHANNEL} stand where "
            "the slice does?"
        )
    return dict(natsorted(groups.items()))


def refuse_pattern(path: Path, pattern: str | None) -> None:
    """Raise `InputError` where a pattern is given for what is no folder of images."""
    if pattern:
        raise InputError(f"--channel-pattern is for a folder of images, but {path} is none: leave it out")


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression that a name must match from its beginning; raises `InputError` for a pattern without one `{c}`."""
    if pattern.count(CHANNEL) != 1:
        raise InputError(
            f"--channel-pattern needs {CHANNEL} once, where the channel stands in the names, for example "
            f"'_C{CHANNEL}': got {pattern!r}"
        )
    before, after = (".*".join(map(re.escape, part.split("*"))) for part in pattern.split(CHANNEL))
    start = "" if before else r"(?<![^\W_])"
    return re.compile(f".*{before}{start}{WORD}{after}", re.IGNORECASE)


def suggested_pattern(stems: Sequence[str], column: Column) -> str:
    """The shortest pattern that finds the numbers of a column in all names."""
    found = list(re.finditer(column.reading, stems[0]))[column.place]
    before, after = stems[0][: found.start()], stems[0][found.end() :]
    label = re.search(r"[\W_]?[^\W\d_]*[\W_]?$", before)
    near, following = label[0] if label else "", re.sub(r"\d.*", "", after)
    starred = tuple(re.sub(column.reading, "*", text) for text in (before, after))
    tried = (f"{near}{CHANNEL}", f"{near}{CHANNEL}{following}", f"{starred[0]}{CHANNEL}{starred[1]}")
    return next((pattern for pattern in tried if _finds(pattern, stems, column.written)), tried[-1])


def suggested_for_words(stems: Sequence[str]) -> str | None:
    """The pattern of channels whose names differ in one word, given one name of each; None where it is not one word."""
    words = [re.split(r"(?<=[\W_])|(?=[\W_])", stem) for stem in stems]
    if len(stems) > MOST_CHANNELS or len({len(parts) for parts in words}) != 1:
        return None
    columns = list(zip(*words, strict=True))
    places = [i for i, parts in enumerate(columns) if len(set(parts)) > 1 and not all(p.isdigit() for p in parts)]
    if len(places) != 1:
        return None
    (place,) = places
    before, after = "".join(words[0][:place]), "".join(words[0][place + 1 :])
    starred = tuple(re.sub(r"\d+", "*", text) for text in (before, after))
    tried = (f"{before[-1:]}{CHANNEL}", f"{before[-1:]}{CHANNEL}{after[:1]}", f"{starred[0]}{CHANNEL}{starred[1]}")
    return next((pattern for pattern in tried if _finds(pattern, stems, columns[place])), None)


def _finds(pattern: str, stems: Sequence[str], channels: Sequence[str]) -> bool:
    expression = compiled(pattern)
    found = (expression.match(stem) for stem in stems)
    return all(match is not None and match["c"] == name for match, name in zip(found, channels, strict=True))
