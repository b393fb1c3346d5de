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
    │   └── NetworkError          1   a download did not work
    ├── GateError                 2   everything worked and the gate said no
    └── IncompleteError           3   a result exists, but something could not be read

The number is the exit code of the command line. The text of an error is one line without a final full stop;
``hint`` is the next step, printed on a line of its own.
"""

from typing import ClassVar


class PratiqueError(Exception):
    """Root of the tree.

    :param what: what failed and on which object, in one line
    :param hint: what the reader can do next
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class UsageError(PratiqueError):
    """The caller asked for something that cannot be."""


class InputError(PratiqueError):
    """A file, archive, document or request is broken or hostile."""


class ImageError(InputError):
    """An image or one of its layers cannot be read."""


class PolicyError(InputError):
    """A policy document is not valid."""


class AdvisoryError(InputError):
    """An advisory file is not valid."""


class HostError(PratiqueError):
    """This host lacks something or refuses something."""


class EngineError(HostError):
    """The container engine cannot be reached or answered with an error."""


class KernelError(HostError):
    """The kernel refused a program, a map or a link."""


class StoreError(HostError):
    """The database cannot be opened or written."""


class NetworkError(HostError):
    """A download did not work."""


class GateError(PratiqueError):
    """Everything worked and the gate said no."""

    exit_code = 2


class IncompleteError(PratiqueError):
    """A result exists, but something could not be read."""

    exit_code = 3
