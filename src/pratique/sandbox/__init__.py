"""Runs an image sealed off and writes down what it does.

In: an opened image. Out: a recording. Never: lets a packet out, judges what it saw.

:func:`run` is the whole interface, and :func:`sweep` for what was killed in the middle of it. Each run has a process of
its own, the keeper, with a mount namespace that dies with it; below it ``runc`` runs the image in namespaces of its
own, and the sinkhole plays the internet in a network namespace that has no way out. Threads of the keeper listen to the
sensor, to fanotify and to the system calls that the container's seccomp filter passes on.
"""

from pratique.sandbox.leftovers import sweep
from pratique.sandbox.options import Options
from pratique.sandbox.run import run

__all__ = ["Options", "run", "sweep"]
