"""Fixtures of the guard's unit tests."""

import pytest

from tests.unit.guard.asking import World


@pytest.fixture
def world() -> World:
    """An engine with a good and a bad image and no containers."""
    return World()
