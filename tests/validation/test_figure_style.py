"""The one style of pictures: ticks of one kind, poles left open, data beside the picture."""

import matplotlib
import numpy as np
import pytest

from solvable.validation import figure_style as style


@pytest.mark.parametrize("low, high", [(1, 1e6), (20, 400), (3, 9), (1e-6, 4e-6), (0.02, 0.5)])
def test_labels_of_a_logarithmic_axis_are_of_one_kind(low, high):
    with matplotlib.rc_context(style.STYLE):
        figure, axes = style.new_figure()
        axes.loglog([low, high], [low, high])
        axes.set_xlim(low, high)
        style.finish(axes)
        figure.canvas.draw()
        major = [t.get_text() for t in axes.xaxis.get_majorticklabels() if t.get_text()]
        minor = [t.get_text() for t in axes.xaxis.get_minorticklabels() if t.get_text()]
    assert not minor
    kinds = {"power" if "10^{" in text else "plain" for text in major}
    assert len(kinds) == 1, major


def test_a_pole_is_not_joined():
    x = np.linspace(0, 2, 201)
    with np.errstate(divide="ignore"):
        _, y = style.up_to_poles(x, 1 / np.abs(1 - x))
    assert np.isnan(y[100]) and np.isfinite(y[[50, 150]]).all()
    _, smooth = style.up_to_poles(x, 1 + x**2)
    assert np.isfinite(smooth).all()


def test_data_keep_their_digits():
    assert style.as_csv(("a", "b"), [("x", 0.1 + 0.2)]) == "a,b\nx,0.30000000000000004\n"
