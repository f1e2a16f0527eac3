"""Targets of the device ring: a word size that can't be had is skipped by name, and a failure in CI."""

import os
from pathlib import Path

import pytest
from tests.device.target import Target, target


@pytest.fixture(scope="session", params=[64, 32], ids=["64-bit", "32-bit"])
def device(request: pytest.FixtureRequest) -> Target:
    found, why = target(request.param)
    if found is None:
        message = f"{request.param}-bit MicroPython not available: {why}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def built(device: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the firmware's modules compiled for `device`."""
    return device.build(tmp_path_factory.mktemp(f"built{device.bits}"))
