r"""The published forms of a loss that falls with size.

| form | loss | parameters |
|---|---|---|
| power | E + A x^−α, x the compute (or the only size) | E, A, alpha |
| chinchilla | E + A N^−α + B D^−β | E, A, B, alpha, beta |
| bottleneck | E + max(A N^−α, B D^−β): the scarcer of the two decides | E, A, B, alpha, beta |
| kaplan | [(A/N)^{α/β} + B/D]^β, A and B the sizes N_c and D_c | A, B, alpha, beta |

All are fitted in coordinates in which they are well conditioned: logarithms, with sizes taken
relative to a centre (ln N → ln N − ν), so that ln A → ln A − αν does not move with α.

Sources: Hoffmann et al. 2203.15556 (chinchilla), Kaplan et al. 2001.08361, eq. (1.5).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..equality import Comparable
from .loss_table import LossTable

SMALL, LARGE = 1e-3, 3.0  # exponents that are tried


@dataclass(frozen=True, eq=False)
class Form(Comparable, ABC):
    """A form at the rows of a table; θ are coordinates of shape (problems, p)."""

    name: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    needs: ClassVar[tuple[str, ...]]
    adds: ClassVar[bool] = True  #: all powers count everywhere, not the largest alone

    sizes: tuple[np.ndarray, ...]  # logarithms
    centres: tuple[float, ...]

    @classmethod
    def on(cls, table: LossTable) -> Form:
        """The form at the sizes of a table, centred there."""
        sizes = tuple(np.log(x) for x in cls.columns(table))
        return cls(sizes, tuple(float(x.mean()) for x in sizes))

    @classmethod
    def columns(cls, table: LossTable) -> tuple[np.ndarray, ...]:
        """The sizes that the loss depends on."""
        return tuple(table.column(name, cls.name) for name in cls.needs)

    def at(self, sizes: tuple[np.ndarray, ...]) -> Form:
        """The same form, and centre, at other sizes."""
        return type(self)(tuple(np.log(np.asarray(x, float)) for x in sizes), self.centres)

    def moved(self, centres: tuple[float, ...]) -> Form:
        """The same rows with other centres."""
        return type(self)(self.sizes, centres)

    @abstractmethod
    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln L, shape (problems, rows), and its derivative by θ, shape (problems, rows, p)."""

    @abstractmethod
    def physical(self, theta: np.ndarray) -> np.ndarray:
        """The parameters that θ stands for, shape (…, p)."""

    @abstractmethod
    def coordinates(self, physical: np.ndarray) -> np.ndarray:
        """θ of the parameters."""

    @abstractmethod
    def starts(self, log_loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A grid of θ over the exponents, and which coordinates are linear there (a mask)."""


def _powers(
    theta: np.ndarray, sizes: tuple[np.ndarray, ...], centres: tuple[float, ...]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """a_i − α_i (ln x_i − ν_i), and its derivative by ln α_i; θ = (…, a_1…, ln α_1…)."""
    k = len(sizes)
    scale, exponent = theta[:, -2 * k : -k or None], np.exp(np.minimum(theta[:, -k:], 5))
    slopes = [exponent[:, i, None] * (x - nu) for i, (x, nu) in enumerate(zip(sizes, centres))]
    return [scale[:, i, None] - slope for i, slope in enumerate(slopes)], [-s for s in slopes]


class _Additive(Form):
    """E + a combination of powers; θ = (ln E, ln A′…, ln α…), A′ = A e^{−αν}."""

    def physical(self, theta: np.ndarray) -> np.ndarray:
        k = len(self.sizes)
        exponent = np.exp(theta[..., -k:])
        floor = np.exp(theta[..., : -2 * k])
        scale = np.exp(np.clip(theta[..., -2 * k : -k] + exponent * np.array(self.centres),
                               -700, 700))  # fmt: skip
        return np.concatenate([floor, scale, exponent], axis=-1)

    def coordinates(self, physical: np.ndarray) -> np.ndarray:
        k = len(self.sizes)
        logs = np.log(physical)
        scale = logs[..., -2 * k : -k] - physical[..., -k:] * np.array(self.centres)
        return np.concatenate([logs[..., : -2 * k], scale, logs[..., -k:]], axis=-1)

    def starts(self, log_loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = len(self.sizes)
        least = float(np.exp(log_loss.min()))
        rest = np.log(max(float(np.median(np.exp(log_loss))) - 0.6 * least, 0.1 * least) / k)
        values = np.log(np.geomspace(0.03, 1.2, 9 if k == 2 else 20))
        exponents = np.stack(np.meshgrid(*[values] * k), axis=-1).reshape(-1, k)
        fixed = np.broadcast_to([np.log(0.6 * least)] + [rest] * k, (len(exponents), k + 1))
        linear = np.array([True] * (k + 1) + [False] * k)
        return np.hstack([fixed, exponents]), linear


class ChinchillaForm(_Additive):
    """E + A N^−α + B D^−β.

    >>> form = ChinchillaForm((np.log([10.0]), np.log([100.0])), (0.0, 0.0))
    >>> theta = form.coordinates(np.array([[1.0, 2.0, 3.0, 1.0, 0.5]]))
    >>> float(np.exp(form.evaluate(theta)[0][0, 0]).round(12))  # 1 + 2/10 + 3/10
    1.5
    """

    name = "chinchilla"
    parameters: ClassVar[tuple[str, ...]] = ("E", "A", "B", "alpha", "beta")
    needs: ClassVar[tuple[str, ...]] = ("parameters", "tokens")

    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        powers, slopes = _powers(theta, self.sizes, self.centres)
        floor = np.broadcast_to(theta[:, :1], powers[0].shape)
        terms = [floor, *powers]
        top = np.maximum.reduce(terms)
        parts = [np.exp(term - top) for term in terms]
        total = sum(parts)
        shares = [part / total for part in parts]
        moved = [share * slope for share, slope in zip(shares[1:], slopes)]
        return top + np.log(total), np.stack([*shares, *moved], axis=-1)


class PowerForm(ChinchillaForm):
    """E + A x^−α."""

    name = "power"
    parameters: ClassVar[tuple[str, ...]] = ("E", "A", "alpha")
    needs: ClassVar[tuple[str, ...]] = ("compute",)

    @classmethod
    def columns(cls, table: LossTable) -> tuple[np.ndarray, ...]:
        return (table.order(),)


class BottleneckForm(_Additive):
    """E + max(A N^−α, B D^−β)."""

    name = "bottleneck"
    parameters = ("E", "A", "B", "alpha", "beta")
    needs = ("parameters", "tokens")
    adds = False

    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (first, second), slopes = _powers(theta, self.sizes, self.centres)
        wins = first >= second
        value = np.logaddexp(theta[:, :1], np.maximum(first, second))
        floor = np.exp(theta[:, :1] - value)
        shares = [(1 - floor) * wins, (1 - floor) * ~wins]
        moved = [share * slope for share, slope in zip(shares, slopes)]
        return value, np.stack([floor, *shares, *moved], axis=-1)


class KaplanForm(Form):
    """[(A/N)^{α/β} + B/D]^β; θ = (ln(A/N₀), ln(B/D₀), ln α, ln β) about the centre."""

    name = "kaplan"
    parameters = ("A", "B", "alpha", "beta")
    needs = ("parameters", "tokens")

    def evaluate(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n, d = (x - nu for x, nu in zip(self.sizes, self.centres))
        ratio = np.exp(np.clip(theta[:, 2:3] - theta[:, 3:], -7, 7))
        beta = np.exp(np.clip(theta[:, 3:], -9, 5))
        first, second = ratio * (theta[:, :1] - n), theta[:, 1:2] - d
        inner = np.logaddexp(first, second)
        share = np.exp(first - inner)
        by_ratio = beta * share * first
        derivatives = [
            beta * share * ratio, beta * (1 - share), by_ratio, beta * inner - by_ratio,
        ]  # fmt: skip
        return beta * inner, np.stack(derivatives, axis=-1)

    def physical(self, theta: np.ndarray) -> np.ndarray:
        centres = np.array([*self.centres, 0.0, 0.0])
        return np.exp(np.clip(theta + centres, -700, 700))

    def coordinates(self, physical: np.ndarray) -> np.ndarray:
        return np.log(physical) - np.array([*self.centres, 0.0, 0.0])

    def starts(self, log_loss: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.log(np.geomspace(0.03, 1.2, 9))
        exponents = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)
        level = np.median(log_loss) / np.exp(exponents) - np.log(2)  # of ln L = β (ln 2 + …)
        level[:, 0] = level[:, 1] * np.exp(exponents[:, 1] - exponents[:, 0])
        return np.hstack([level, exponents]), np.array([True, True, False, False])


PUBLISHED: dict[str, type[Form]] = {
    form.name: form for form in (ChinchillaForm, KaplanForm, BottleneckForm, PowerForm)
}
