"""All analyzers, in one list. A new one is one file and one line here; nothing registers by being imported."""

from collections.abc import Callable
from typing import Final

from pratique.analyzers.base import Analyzer, Context
from pratique.analyzers.malware import Malware
from pratique.analyzers.packages.apk import Apk
from pratique.analyzers.packages.dpkg import Dpkg
from pratique.analyzers.packages.node import Node
from pratique.analyzers.packages.python import Python
from pratique.analyzers.secrets import Secrets

CATALOGUE: Final[dict[str, Callable[[Context], Analyzer]]] = {
    "dpkg": Dpkg,
    "apk": Apk,
    "python": Python,
    "node": Node,
    "malware": Malware,
    "secrets": Secrets,
}
"""Name → what makes the analyzer for one image."""
