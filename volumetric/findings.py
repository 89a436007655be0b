"""What was noticed of a brain, and what it means for its numbers: one scale of words for every page, file and console.

- good: nothing speaks against the numbers;
- doubtful: look before you believe them;
- unusable: do not believe them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How far the numbers can be believed, best first."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    UNUSABLE = "unusable"

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(Grade).index(self)


@dataclass(frozen=True)
class Finding:
    """One thing that was noticed: a grade and a sentence that says what it is and what to do.

    A finding of grade `good` is a note: it is said, and raises no doubt.
    """

    grade: Grade
    text: str

    def as_json(self) -> dict[str, str]:
        """As it is stored."""
        return {"grade": self.grade.value, "text": self.text}

    @classmethod
    def from_json(cls, record: Mapping[str, str]) -> Finding:
        """As it was stored."""
        return cls(Grade(record["grade"]), record["text"])


@dataclass(frozen=True)
class Verdict:
    """What all findings come to: the worst grade, and the findings, worst first."""

    grade: Grade
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Verdict:
        """The verdict of findings; each text counts once, in the order given within a grade."""
        unique = {finding.text: finding for finding in sorted(findings, key=lambda finding: finding.grade.rank)}
        ordered = tuple(sorted(unique.values(), key=lambda finding: -finding.grade.rank))
        return cls(ordered[0].grade if ordered else Grade.GOOD, ordered)

    @classmethod
    def from_json(cls, records: Iterable[Mapping[str, str]]) -> Verdict:
        """Of stored findings."""
        return cls.of(map(Finding.from_json, records))

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against the numbers, in words."""
        return tuple(finding.text for finding in self.findings if finding.grade is not Grade.GOOD)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing and raises no doubt."""
        return tuple(finding.text for finding in self.findings if finding.grade is Grade.GOOD)
