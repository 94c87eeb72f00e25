"""Solvable models of neural scaling laws: `import solvable as sv`.

All public names are in one flat list, the stub ``__init__.pyi`` beside this file; each is
imported when it is first used, so that ``import solvable`` costs next to nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
