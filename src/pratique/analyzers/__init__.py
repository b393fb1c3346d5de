"""Facts about an image: packages, malware, secrets, configuration.

In: an opened image. Out: packages, findings, what could not be read. Never: matches advisories, judges, shows.
Each analyzer says which files it wants and sees nothing else; broken content costs one located ``Unread``.
"""

from pratique.analyzers.base import Analyzer, Context, Fact
from pratique.analyzers.catalogue import CATALOGUE
from pratique.analyzers.code import find_code
from pratique.analyzers.collect import Facts
from pratique.analyzers.fingerprint import take_fingerprint
from pratique.analyzers.options import Options
from pratique.analyzers.origin import with_layers
from pratique.analyzers.programs import take_programs
from pratique.analyzers.run import analyze

__all__ = [
    "CATALOGUE",
    "Analyzer",
    "Context",
    "Fact",
    "Facts",
    "Options",
    "analyze",
    "find_code",
    "take_fingerprint",
    "take_programs",
    "with_layers",
]
