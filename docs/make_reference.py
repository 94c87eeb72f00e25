"""Write reference.rst: every public name of `import solvable as sv`, by the module it lives in.

    python docs/make_reference.py
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import solvable as sv


def reference() -> str:
    """The page: one heading a module, one directive a name."""
    rooms = defaultdict(list)
    for name in sorted(sv.__all__):
        rooms[getattr(sv, name).__module__].append(name)
    lines = ["Reference", "=========", "", "All names of ``import solvable as sv``.", ""]
    for module in sorted(rooms):
        title = module.removeprefix("solvable.")
        lines += [title, "-" * len(title), ""]
        for name in rooms[module]:
            kind = "autoclass" if isinstance(getattr(sv, name), type) else "autofunction"
            lines += [f".. {kind}:: solvable.{name}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(__file__).with_name("reference.rst").write_text(reference(), encoding="utf-8")
