"""The keeper of one run: a process that holds all of it and takes all of it away.

``python -m pratique.sandbox.keeper`` reads a :class:`~pratique.sandbox.job.Job` from its input, as a length in four
bytes and that many bytes of MessagePack, and writes an :class:`~pratique.sandbox.job.Outcome` to its output. When the
input ends before that, whoever wanted the run is gone and so is the run.
"""

import os
import signal
import struct
import sys

import msgspec

from pratique.errors import PratiqueError
from pratique.sandbox.job import Job, Outcome
from pratique.sandbox.stage import Stage

LENGTH = struct.Struct("=I")


def main() -> None:
    """Do one job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the caller decides
    output = os.dup(1)
    os.dup2(2, 1)
    (length,) = LENGTH.unpack(sys.stdin.buffer.read(LENGTH.size))
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(length), type=Job)
    try:
        with Stage(job, caller=0) as stage:
            outcome = Outcome(recording=stage.play())
    except PratiqueError as error:
        outcome = Outcome(error=error.what, hint=error.hint)
    with os.fdopen(output, "wb") as stream:
        stream.write(msgspec.msgpack.encode(outcome))


if __name__ == "__main__":
    main()
