"""Runs one of them in the sandbox, as ``pratique detonate`` does."""

import tempfile
from pathlib import Path

import msgspec

from pratique.pipelines.detonate import Options, detonate_file
from pratique.sandbox import Options as SandboxOptions
from testbed.behaviours.bad import BAD
from testbed.behaviours.honest import HONEST


def detonate(name: str, work: str) -> bytes:
    """Detonate the image of this name, and return the document as MessagePack. A function of a module, for workers.

    :param work: the sandbox's directory; runs in different ones do not wait for each other
    """
    behaviour = next(one for one in (*BAD, *HONEST) if one.name == name)
    Path(work).mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=work, suffix=".tar") as file:
        file.write(behaviour.image().archive)
        file.flush()
        options = Options(str(Path(work) / "sandbox"), SandboxOptions(for_s=behaviour.for_s))
        return msgspec.msgpack.encode(detonate_file(Path(file.name), options))
