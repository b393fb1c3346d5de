"""What every test may ask for."""

import os

import hypothesis
import pytest

from tests.stores import new_place, place, postgres, store  # noqa: F401  # fixtures

hypothesis.settings.register_profile("pratique", deadline=None)  # no test depends on how busy the machine is
hypothesis.settings.load_profile("pratique")


def cannot(reason: str) -> None:
    """Skip a test that this machine cannot run; in CI, where every test has to run, fail it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> None:
    """Demand root, and a Docker Engine's programs."""
    from shutil import which

    if os.geteuid() != 0:
        cannot("needs root: namespaces, cgroups, BPF and an engine of its own")
    for program in ("dockerd", "containerd", "nsenter", "gcc", "busybox"):
        if which(program) is None:
            cannot(f"needs {program}: 'make setup' installs it")
