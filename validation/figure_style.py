"""One style for every picture: sizes of a journal, signs that print in grey, ticks, file formats.

The palette is that of Okabe and Ito without its yellow, which is too light for lines on white;
every series has its own marker and line style as well, so that nothing depends on colour. A figure
is a column (86 mm) or a page (178 mm) wide; letters are of 8 points in print. Axes are labelled
with mathematics. The caption is no part of the picture: it stands beside it, in a file of LaTeX,
and so do the data, as csv.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from solvable.analytic.errors import InputError
from solvable.analytic.prose import segments

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F",
    "#882255",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
STYLES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)),
    (0, (2, 2)), (0, (10, 1)), (0, (4, 1, 1, 1, 1, 1)),
)  # fmt: skip
FORMATS = ("pdf", "svg", "png")
INCH = 25.4  # mm
ROOM = 0.01  # of the width, left of the labels
COLUMN, PAGE = 86 / INCH, 178 / INCH  #: widths in inches: one column, two columns
GREY = "#555555"
LETTER = 0.06  # inches, at most, of a letter of the legend
STYLE: dict[Any, Any] = {
    "font.size": 8, "axes.labelsize": 8, "legend.fontsize": 6.5, "axes.titlesize": 8,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "lines.linewidth": 1.1, "axes.linewidth": 0.6,
    "xtick.direction": "in", "ytick.direction": "in", "xtick.top": True, "ytick.right": True,
    "xtick.major.width": 0.5, "ytick.major.width": 0.5, "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4, "svg.hashsalt": "solvable", "svg.fonttype": "path",
    "pdf.fonttype": 42, "mathtext.fontset": "cm", "font.family": "serif",
    "font.serif": ["cmr10", "DejaVu Serif"], "axes.formatter.use_mathtext": True,
    "legend.frameon": False, "legend.handlelength": 3.0, "legend.borderpad": 0.2,
}  # fmt: skip
#: for a page on a screen: text stays text, in fonts whose characters have places in Unicode
LIGHT: dict[Any, Any] = {
    **STYLE, "svg.fonttype": "none", "mathtext.fontset": "dejavuserif",
    "font.serif": ["DejaVu Serif"],
}  # fmt: skip


def new_figure(width: float = COLUMN, height: float | None = None) -> tuple[Any, Any]:
    """A figure of this width in inches (height: golden section), and its axes. No display."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        allowed = "the extra 'figures' to be installed (pip install 'solvable[figures]')"
        raise InputError("figure", "matplotlib", allowed) from error
    height = height or width / 1.4
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure, figure.add_axes(_box(width, height))


def _box(
    width: float, height: float, below: float = 0.4, above: float = 0.08
) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of the axes, as parts of the figure; margins in inches."""
    left, right = 0.52, 0.1
    return left / width, below / height, 1 - (left + right) / width, 1 - (below + above) / height


def new_panels(width: float, height: float, count: int, rows: int) -> tuple[Any, list[Any]]:
    """Panels with common ordinates, titles where they are several, and legend rows below."""
    below, above = 0.4 + 0.16 * rows, 0.24 if count > 1 else 0.08
    height += below - 0.4
    figure, first = new_figure(width, height)
    left, bottom, across, up = _box(width, height, below, above)
    gap = 0.08 / width
    each = (across - gap * (count - 1)) / count
    first.set_position((left, bottom, each, up))
    return figure, [first] + [
        figure.add_axes((left + k * (each + gap), bottom, each, up), sharey=first)
        for k in range(1, count)
    ]


def make_room(figure: Any, panels: Sequence[Any]) -> None:
    """Narrow the panels where the labels of the ordinate would be cut off at the left."""
    missing = -figure.get_tightbbox(figure.canvas.get_renderer()).x0 / figure.get_size_inches()[0]
    if missing <= 0:
        return
    last = panels[-1].get_position()
    shrink = 1 - (missing + ROOM) / (last.x1 - panels[0].get_position().x0)
    for axes in panels:
        x0, bottom, width, height = axes.get_position().bounds
        axes.set_position((last.x1 - (last.x1 - x0) * shrink, bottom, width * shrink, height))


def legend_columns(labels: Iterable[str], width: float) -> int:
    """How many of the labels stand beside one another in a legend of this width in inches."""
    return max(1, int(width / (0.5 + LETTER * max(map(len, labels), default=1))))


def panel_above_legend(labels: Sequence[str], width: float, height: float) -> tuple[Any, Any, int]:
    """A figure, its one panel above room for a legend of these labels, and that one's columns."""
    columns = legend_columns(labels, width)
    figure, (axes,) = new_panels(width, height, 1, -(-len(labels) // columns))
    return figure, axes, columns


def tick_logarithms(axis: Any) -> None:
    """Labels of a logarithmic axis, all of one kind.

    Powers of ten where the axis spans two decades or more; else 1, 2, 5, 10, … (3 too on less than
    a decade), as plain numbers, or all with powers of ten where some are very large or small.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatterMathtext, NullFormatter

    if axis.get_scale() != "log":
        return
    low, high = sorted(axis.get_view_interval())
    axis.set_minor_formatter(NullFormatter())
    if math.log10(high / low) >= 2:
        axis.set_major_formatter(LogFormatterMathtext())
        return
    spans = (12, (1, 3)) if not -3 <= math.log10(low) <= 4 else (6, (1, 2, 5))
    mantissas = spans[1] if high / low > spans[0] else (1, 1.5, 2, 3, 4, 6, 8)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [m * 10.0**e for e in exponents for m in mantissas if low <= m * 10.0**e <= high]
    plain = math.log10(low) >= -3 and math.log10(high) <= 5

    def label(value: float, position: int | None = None) -> str:
        if plain:
            return f"${value:g}$"
        power = math.floor(math.log10(value) + 1e-9)
        mantissa = f"{value / 10.0**power:g}"
        times = "" if mantissa == "1" else rf"{mantissa}\times "
        return rf"${times}10^{{{power}}}$"

    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(label))


def finish(axes: Axes) -> None:
    """Ticks and a light grid, once everything is drawn."""
    for axis in (axes.xaxis, axes.yaxis):
        tick_logarithms(axis)
    axes.grid(True, which="major", linewidth=0.3, alpha=0.4)


def up_to_poles(
    x: Any, y: Any, height: float = math.nan, jump: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """A curve whose poles have this height: beyond the picture, so that they are drawn as poles.

    A pole is a place where the values are not finite, or where the curve rises by more than a
    factor ``jump`` towards it from both sides within two points. By default it is cut there.
    """
    x, y = (np.array(values, float) for values in (x, y))
    poles = ~np.isfinite(y)
    if len(y) >= 5:
        middle, left, right = np.abs(y[2:-2]), np.abs(y[:-4]), np.abs(y[4:])
        with np.errstate(invalid="ignore"):
            poles[2:-2] |= (middle > jump * left) & (middle > jump * right)
    y[poles] = height
    return x, y


def mathematics(text: str) -> str:
    """Text for a label, its mathematics in dollars (as it is where it has dollars already)."""
    text = text.replace("–", "-")  # which fonts of formulas lack
    if "$" in text:
        return text
    code = "".join(f"${piece}$" if formula else piece for formula, piece in segments(text))
    for command, shown in _SHOWN.items():
        code = code.replace(command, shown)
    return code


#: commands that matplotlib does not know, and what it knows
_SHOWN = {r"\tfrac12": r"\frac{1}{2}", r"\tfrac14": r"\frac{1}{4}", r"\operatorname{": r"\mathrm{"}


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Data as csv, numbers with all their digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([repr(float(v)) if isinstance(v, float | np.floating) else v for v in row])
    return out.getvalue()


def write_picture(figure: Any, target: Any, kind: str) -> None:
    """The figure to a file, or what is written like one; its content depends on the figure alone.

    It is drawn in memory: writers of matplotlib fail in ways of their own where a disk is full.
    """
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # dates of the fonts
    undated: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    drawn = io.BytesIO()
    figure.savefig(drawn, format=kind, dpi=300, metadata=undated or None)
    if isinstance(target, str | os.PathLike):
        Path(target).write_bytes(drawn.getvalue())
    else:
        target.write(drawn.getvalue())


def in_common_fonts(figure: Any) -> None:
    """Set what is written already in the fonts of `LIGHT`; what is yet to come obeys that."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_fontfamily("DejaVu Serif")
        text.set_math_fontfamily("dejavuserif")


def lightened(svg: bytes) -> str:
    """SVG as small as a page wants it.

    Groups without a meaning are opened, styles that recur become classes, letters of a line one
    text, numbers keep a decimal; names are as short as their number allows.
    """
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        if not isinstance(parent.tag, str):
            continue
        parent.text = (parent.text or "").strip() or None
        for child in list(parent):
            child.tail = None
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    _join_letters(root)
    for parent in list(root.iter()):
        _open_groups(parent)
    classes: dict[str, str] = {}
    names: dict[str, str] = {}
    for element in root.iter():
        if isinstance(element.tag, str):
            _shorten(element, classes, names)
    rules = "".join(f".{name}{{{style}}}" for style, name in classes.items())
    sheet = ElementTree.Element(f"{{{_SVG}}}style")
    sheet.text = f"*{{stroke-linejoin:round;font-family:{_SERIF}}}{rules}"
    root.insert(0, sheet)
    root.attrib.pop("version", None)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


_SVG, _LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
_SERIF = "DejaVu Serif,Georgia,serif"
ElementTree.register_namespace("", _SVG)


def _join_letters(root: Any) -> None:
    """Letters of one style on one line are one text with a place for each."""
    for text in root.iter(f"{{{_SVG}}}text"):
        joined: list[Any] = []
        for span in list(text):
            last: Any = joined[-1] if joined else None
            alike = last is not None and all(last.get(k) == span.get(k) for k in ("y", "style"))
            if alike and " " not in span.get("x", "") and len(span.text or "") == 1:
                last.set("x", f"{last.get('x')} {span.get('x')}")
                last.text += span.text
                text.remove(span)
            elif span.text:
                joined.append(span)
            else:
                text.remove(span)


def _open_groups(parent: Any) -> None:
    """Children of groups that say nothing stand in their place."""
    for child in list(parent):
        _open_groups(child)
        if child.tag == f"{{{_SVG}}}g" and not set(child.attrib) - {"id"}:
            place = list(parent).index(child)
            parent.remove(child)
            for shift, inner in enumerate(child):
                parent.insert(place + shift, inner)


def _shorten(element: Any, classes: dict[str, str], names: dict[str, str]) -> None:
    """Short numbers, a class for the style, a short name for the id and what refers to it."""

    def short(name: str) -> str:
        return names.setdefault(name, f"i{len(names)}")

    style = element.attrib.pop("style", "").replace(": ", ":").replace("; ", ";")
    style = re.sub(r"(?:;|^)font-family:[^;]*", "", style).lstrip(";")
    if style:
        element.set("class", classes.setdefault(style, f"c{len(classes)}"))
    for key, value in list(element.attrib.items()):
        if key == "id":
            element.set(key, short(value))
        elif key == _LINK:
            del element.attrib[key]
            element.set("href", "#" + short(value.lstrip("#")))
        elif key == "clip-path":
            element.set(key, f"url(#{short(value[5:-1])})")
        elif key in ("d", "x", "y", "transform", "points", "viewBox"):
            value = re.sub(r"(\d+\.\d)\d+", r"\1", " ".join(value.split()))
            value = re.sub(r"\.0(?!\d)", "", value)
            if key == "d":
                value = re.sub(r" ?([MLCQz]) ?", r"\1", value)
                value = value if set("CQ") & set(value) else value.replace("L", " ")
            element.set(key, value)
