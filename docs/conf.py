"""Sphinx: the reference of all public names from their docstrings, the architecture, the tutorials.

    python -m pip install '.[docs]' && sphinx-build docs site
"""

from importlib.metadata import version

project = "solvable"
author = "The solvable developers"
release = version("solvable")
extensions = [
    "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "myst_parser",
    "sphinx.ext.viewcode",
]  # fmt: skip
exclude_patterns = ["tutorials/make.py"]
autodoc_typehints = "description"
html_theme = "alabaster"
