"""``python -m pratique`` is the same as the ``pratique`` command."""

from pratique.cli import main

main()
