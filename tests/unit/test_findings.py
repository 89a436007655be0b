"""One verdict from many findings."""

from volumetric.findings import Finding, Grade, Verdict

NOTE = Finding(Grade.GOOD, "the left half was imaged")
DOUBT = Finding(Grade.DOUBTFUL, "the brain is cut off")
FAULT = Finding(Grade.UNUSABLE, "no tissue was found")


def test_nothing_found_is_good() -> None:
    assert Verdict.of([]) == Verdict(Grade.GOOD, ())


def test_the_worst_finding_decides_and_comes_first() -> None:
    verdict = Verdict.of([NOTE, DOUBT, FAULT])
    assert verdict.grade is Grade.UNUSABLE
    assert verdict.doubts == (FAULT.text, DOUBT.text)
    assert verdict.notes == (NOTE.text,)


def test_a_note_raises_no_doubt() -> None:
    assert Verdict.of([NOTE]).grade is Grade.GOOD


def test_the_same_text_is_said_once_with_its_worst_grade() -> None:
    verdict = Verdict.of([Finding(Grade.UNUSABLE, DOUBT.text), DOUBT])
    assert verdict.findings == (Finding(Grade.UNUSABLE, DOUBT.text),)


def test_a_finding_is_stored_and_read_back() -> None:
    assert Finding.from_json(DOUBT.as_json()) == DOUBT
