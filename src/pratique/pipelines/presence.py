"""How a command tells that an agent runs on this host, and which policy it has put into force."""

import fcntl
import os
from pathlib import Path
from typing import Final

LOCK_NAME: Final = "agent.lock"
"""The file in the run directory that a running agent holds locked."""
APPLIED_STATE: Final = "policy_applied"
"""The store's state under which the digest of the policy file in force stands; ``policy apply`` waits for it."""


def agent_runs(run_dir: Path) -> bool:
    """Tell whether an agent holds the lock."""
    try:
        descriptor = os.open(run_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
