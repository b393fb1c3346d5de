"""Every error that Pratique raises on purpose, as one tree.

::

    PratiqueError                 1   something failed: what, on which object, and the next step
    ├── UsageError                1   the caller asked for something that cannot be
    ├── InputError                1   a file, archive, document or request is broken or hostile
    │   ├── ImageError            1   an image or one of its layers cannot be read
    │   ├── PolicyError           1   a policy document is not valid
    │   └── AdvisoryError         1   an advisory file is not valid
    ├── HostError                 1   this host lacks something or refuses something
    │   ├── EngineError           1   the container engine cannot be reached or answered with an error
    │   ├── KernelError           1   the kernel refused a program, a map or a link
    │   ├── StoreError            1   the database cannot be opened or written
    │   │   └── EmptyStoreError   1   nothing was recorded yet
    │   ├── NetworkError          1   a download did not work
    │   ├── SandboxError          1   this host cannot run an image sealed off
    │   └── ReplaceError          1   a container's successor did not take its place
    ├── GateError                 2   everything worked and the gate said no
    └── IncompleteError           3   a result exists, but something could not be read

The number is the exit code of the command line. The text of an error is one line without a final full stop;
``hint`` is the next step, printed on a line of its own; a class whose errors mostly want the same has a usual one.
"""

from typing import ClassVar


class PratiqueError(Exception):
    """Root of the tree.

    :param what: what failed and on which object, in one line
    :param hint: what the reader can do next
    """

    exit_code: ClassVar[int] = 1
    usual_hint: ClassVar[str] = ""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint or self.usual_hint


class UsageError(PratiqueError):
    """The caller asked for something that cannot be."""

    usual_hint = "'pratique COMMAND --help' tells what can be asked for"


class InputError(PratiqueError):
    """A file, archive, document or request is broken or hostile."""


class ImageError(InputError):
    """An image or one of its layers cannot be read."""

    usual_hint = "it is broken or made to deceive: get it again from where it came, and do not run it"


class PolicyError(InputError):
    """A policy document is not valid."""

    usual_hint = "'pratique policy init' prints a valid example"


class AdvisoryError(InputError):
    """An advisory file is not valid."""

    usual_hint = "get it again: OSV publishes one zip for each ecosystem, named all.zip; the database is as it was"


class HostError(PratiqueError):
    """This host lacks something or refuses something."""

    usual_hint = "'pratique doctor' tells what this host lacks, and how to mend it"


class EngineError(HostError):
    """The container engine cannot be reached or answered with an error."""


class KernelError(HostError):
    """The kernel refused a program, a map or a link."""


class StoreError(HostError):
    """The database cannot be opened or written."""

    usual_hint = "check the owner, the mount and the room of its directory, or use another --state-dir"


class EmptyStoreError(StoreError):
    """Nothing was recorded yet."""

    usual_hint = "start 'pratique up'"


class NetworkError(HostError):
    """A download did not work."""


class SandboxError(HostError):
    """This host cannot run an image sealed off."""


class ReplaceError(HostError):
    """A container's successor did not take its place."""

    usual_hint = "the old one goes on; mend the new image, then continue or undo the plan"


class GateError(PratiqueError):
    """Everything worked and the gate said no."""

    exit_code = 2


class IncompleteError(PratiqueError):
    """A result exists, but something could not be read."""

    exit_code = 3
