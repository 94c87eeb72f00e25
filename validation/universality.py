r"""Universality: which laws of the entries give the Gaussian loss, and which do not.

The theory is that of Gaussian u and x. Its limit N, T → ∞ holds for every law of independent
standardised entries whose quadratic forms concentrate, gᵀBg ≈ tr B with a relative variance

    2 tr B²/(tr B)² + (kurtosis − 3) Σ_i B_ii²/(tr B)²,

which is O(1/N) at finite kurtosis: the law of the entries changes the 1/s correction and not the
limit. It fails, at every size, where this variance does not vanish:

* *elliptical data*: a common factor τ_t per sample, xᵀBx ≈ τ_t² tr B. The samples have different
  weights, and the bracket 1 − D₁/T becomes an average over τ² (for λ flat: a generalised
  Marchenko–Pastur law);
* *features that stay sparse*: p = c/s non-zero entries, kurtosis 1/p growing with the size, so that
  a feature sees few of the modes that matter and some see none;
* *heavy tails*: Student's law with ν ≤ 4 degrees of freedom has infinite kurtosis, and the
  concentration is slower than 1/s, the slower the closer ν is to 2, where the variance ends: at
  ν = 2.2 no departure decays visibly at sizes that can be simulated.

`UNIVERSAL` and `BROKEN` list laws of either kind as cases of `validation.comparison`, to be
compared with `validation.theory.theory`: the first family must pass, and each case of
the second must fail.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from solvable.analytic.spectrum import PowerLaw

from .cells import Cell
from .entry_laws import EntryLaw

ALPHA, NOISE, MODES = 0.5, 0.1, 320


@dataclass(frozen=True)
class LawCase:
    """Ridge regression at ridge γ·s^{2−b} with the given laws of features and data.

    ``dilute`` divides the probability of a non-zero feature entry by the scale.
    """

    feature_law: EntryLaw = field(default_factory=EntryLaw)
    data_law: EntryLaw = field(default_factory=EntryLaw)
    features: int = 40
    samples: int = 80
    ridge: float = 1.0
    dilute: bool = False

    def cell(self, scale: int) -> Cell:
        """The cell with all sizes multiplied by ``scale``; the ridge keeps its place in κ."""
        law = self.feature_law
        if self.dilute:
            law = EntryLaw(law.name, float(law.parameter or 0) / scale)
        return Cell(
            PowerLaw(alpha=ALPHA, size=scale * MODES),
            scale * self.features,
            scale * self.samples,
            at=(self.ridge * scale ** (1 - ALPHA),),
            noise=NOISE,
            feature_law=law,
            data_law=self.data_law,
        )

    def describe(self) -> str:
        """Short text: the two laws."""
        names = [
            law.name if law.parameter is None else f"{law.name}({law.parameter:g})"
            for law in (self.feature_law, self.data_law)
        ]
        return f"features {names[0]}{'/s' * self.dilute}, data {names[1]}"


UNIVERSAL: tuple[LawCase, ...] = (
    LawCase(),
    LawCase(EntryLaw("rademacher"), EntryLaw("rademacher")),
    LawCase(EntryLaw("uniform"), EntryLaw("laplace")),
    LawCase(EntryLaw("laplace"), EntryLaw("uniform")),
    LawCase(EntryLaw("student", 8), EntryLaw("student", 8)),
    LawCase(EntryLaw("rademacher"), EntryLaw(), features=80, samples=40),
    LawCase(EntryLaw(), EntryLaw("laplace"), features=80, samples=40),
)
BROKEN: tuple[LawCase, ...] = (
    LawCase(EntryLaw(), EntryLaw("elliptical", 6)),
    LawCase(EntryLaw("rademacher"), EntryLaw("elliptical", 3)),
    LawCase(EntryLaw("sparse", 0.02), dilute=True),
    LawCase(EntryLaw(), EntryLaw("student", 2.2)),
)
