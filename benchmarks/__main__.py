"""``make bench``: runs every benchmark and prints one table; ``python -m benchmarks egress guard`` runs some."""

import sys
from importlib import import_module

from benchmarks.row import Row

MODULES = ("startup", "egress", "process", "guard", "agent", "blast")


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, or all, and print the table of docs/performance.md."""
    unknown = [name for name in chosen if name not in MODULES]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(MODULES)}", file=sys.stderr)
        return 1
    print("| what | without | with | unit | ratio |\n|---|---|---|---|---|")
    for name in chosen or MODULES:
        rows: list[Row] = import_module(f"benchmarks.{name}").run()
        for row in rows:
            print(f"| {row.name} | {row.without:.4g} | {row.with_:.4g} | {row.unit} | {row.ratio:.3f} |", flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
