"""Sphinx: the reference of all public names from their docstrings, the architecture, the tutorials.

python -m pip install '.[docs]' && sphinx-build docs site
"""

from importlib import metadata

project = "solvable"
author = "The solvable developers"
release = version = metadata.version("solvable")
extensions = [
    "sphinx.ext.autodoc", "sphinx.ext.mathjax", "myst_parser",
    "sphinx.ext.viewcode",
]  # fmt: skip
exclude_patterns = ["tutorials/make.py"]
autodoc_typehints = "description"
html_theme = "alabaster"


def list_parameters(app, what, name, obj, options, lines):
    """``name: text`` below a heading "Parameters" becomes a list, up to the first blank line."""
    if "Parameters" not in lines:
        return
    start = lines.index("Parameters")
    end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
    rows = ["**Parameters**", ""]
    for line in lines[start + 2 : end]:
        names, colon, text = line.partition(":")
        new = colon and not line.startswith(" ")
        rows.append(f"* ``{names}``: {text.strip()}" if new else f"  {line.strip()}")
    lines[start:end] = rows


def setup(app):
    """Read the lists of parameters of this package."""
    app.connect("autodoc-process-docstring", list_parameters)
