"""`python -m benchmarks [NAME …]`: every benchmark of this folder, or those named. Exit 1 when a bar does not hold."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run them one after the other: nothing else may run while one measures."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    broken = 0
    for name in names or known:
        print(f"== {name}", flush=True)
        broken += bool(importlib.import_module(f"benchmarks.{name}").main())
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
