"""What many tests share: the built-in models, loaded once, and two public-domain portraits."""

from __future__ import annotations

import os

import pytest
import torch
from helpers import Reader, Remembering
from torch import Tensor

from flow_core.cli.demo import portraits as demo_portraits
from flow_core.faces.align import align
from flow_core.faces.detect import Detector, load_detector
from flow_core.geometry.crop import Crop
from flow_core.guides.guide import Guide, load_guide


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_models: the command loads its models itself")
    config.addinivalue_line("markers", "slow: trains, starts processes, or takes seconds; left out by make test")


@pytest.fixture(scope="session", autouse=True)
def _offline() -> None:
    """No test may reach for a model over the network."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def portraits() -> dict[str, Tensor]:
    """``astronaut`` and ``grace_hopper``, each ``[1,3,H,W]``."""
    return demo_portraits()


@pytest.fixture(scope="session")
def detector() -> Detector:
    return load_detector()


@pytest.fixture(scope="session")
def finder(detector: Detector) -> Remembering:
    """The same, for tests that are not about the detector."""
    return Remembering(detector)


@pytest.fixture(scope="session")
def guide() -> Guide:
    return load_guide()


@pytest.fixture(scope="session")
def reader(guide: Guide) -> Reader:
    """The same, for tests that read hundreds of texts."""
    return Reader.like(guide)


@pytest.fixture(scope="session")
def crops(portraits: dict[str, Tensor], finder: Remembering) -> dict[str, Crop]:
    """The face of each portrait."""
    return {name: align(picture, finder)[0] for name, picture in portraits.items()}


@pytest.fixture(scope="session")
def astronaut(portraits: dict[str, Tensor]) -> Tensor:
    return portraits["astronaut"]


@pytest.fixture(scope="session")
def crop(crops: dict[str, Crop]) -> Crop:
    """The astronaut's face."""
    return crops["astronaut"]


@pytest.fixture
def noise_picture() -> Tensor:
    """``[1,3,96,120]`` of values that no 8-bit file holds."""
    return torch.rand(1, 3, 96, 120, generator=torch.Generator().manual_seed(7))
