"""The kernel's own file systems that the sensor needs. Source: kernel doc bpf, ftrace (tracefs)."""

import ctypes
import os
from pathlib import Path
from typing import Final

from pratique.errors import HostError

_NEEDED: Final = (("bpf", Path("/sys/fs/bpf")), ("tracefs", Path("/sys/kernel/tracing")))


def mount_kernel_filesystems(mounts: Path = Path("/proc/self/mounts")) -> list[Path]:
    """Mount bpffs and tracefs where they are not mounted yet; return what was mounted.

    :raises HostError: when the kernel refuses
    """
    mounted = {tuple(line.split(" ")[1:3]) for line in mounts.read_text().splitlines()}
    done = []
    for kind, target in _NEEDED:
        if (str(target), kind) in mounted:
            continue
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(kind.encode(), os.fsencode(target), kind.encode(), 0, None) != 0:
            msg = f"cannot mount {kind} at {target}: {os.strerror(ctypes.get_errno())}"
            raise HostError(msg, hint="run as root, on a kernel with BPF and tracing")
        done.append(target)
    return done
