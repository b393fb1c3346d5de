"""Images by what they do: the bad, modelled on documented attacks and harmless, and the honest, of real software.

Nothing bad is in the files of the bad ones: only running them tells.
"""

from testbed.behaviours.bad import BAD
from testbed.behaviours.behaviour import Behaviour
from testbed.behaviours.honest import HONEST

__all__ = ["BAD", "HONEST", "Behaviour"]
