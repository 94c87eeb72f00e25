"""The sources, and references to their equations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A source: how it is cited in a line, and its full entry."""

    key: str
    short: str
    authors: str
    title: str
    year: int
    arxiv: str | None = None

    def __str__(self) -> str:
        number = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors}, “{self.title}” ({self.year}){number}"


PAPERS = {
    paper.key: paper
    for paper in (
        Paper("solvable-model", "Maloney, Roberts, Sully 2022",
              "A. Maloney, D. A. Roberts, J. Sully",
              "A Solvable Model of Neural Scaling Laws", 2022, "2210.16859"),
        Paper("dynamical-model", "Bordelon, Atanasov, Pehlevan 2024",
              "B. Bordelon, A. Atanasov, C. Pehlevan",
              "A Dynamical Model of Neural Scaling Laws", 2024, "2402.01092"),
        Paper("talk", "Roberts 2022 (talk)", "D. A. Roberts",
              "A Solvable Model of Neural Scaling Laws, talk of August 26", 2022),
        Paper("zhang", "Zhang 2024", "Z. Zhang", "Neural Scaling Laws From Large-N Field Theory: "
              "Solvable Model Beyond the Ridgeless Limit", 2024, "2405.19398"),
        Paper("renormalization", "Atanasov, Zavatone-Veth, Pehlevan 2024",
              "A. Atanasov, J. A. Zavatone-Veth, C. Pehlevan",
              "Scaling and Renormalization in High-Dimensional Regression", 2024, "2405.00592"),
        Paper("more-is-better", "Simon et al. 2023", "J. B. Simon, D. Karkada, N. Ghosh, M. Belkin",
              "More Is Better in Modern Machine Learning", 2023, "2311.14646"),
        Paper("dimension-free", "Defilippis, Loureiro, Misiakiewicz 2024",
              "L. Defilippis, B. Loureiro, T. Misiakiewicz", "Dimension-Free Deterministic "
              "Equivalents and Scaling Laws for Random Feature Regression", 2024, "2405.15699"),
        Paper("explaining", "Bahri et al. 2021", "Y. Bahri, E. Dyer, J. Kaplan, J. Lee, U. Sharma",
              "Explaining Neural Scaling Laws", 2021, "2102.06701"),
        Paper("phases", "Paquette et al. 2024", "E. Paquette, C. Paquette, L. Xiao, J. Pennington",
              "4+3 Phases of Compute-Optimal Neural Scaling Laws", 2024, "2405.15074"),
        Paper("functional-law", "Li et al. 2025",
              "B. Li, F. Chen, Z. Huang, L. Wang, L. Wu",
              "Functional Scaling Laws in Kernel Regression: Loss Dynamics and Learning Rate "
              "Schedules", 2025, "2509.19189"),
        Paper("optimal-schedules", "Li et al. 2026",
              "B. Li, Z. Wang, F. Chen, S. Zhao, R. Zheng, L. Wu",
              "Optimal Learning-Rate Schedules under Functional Scaling Laws: Power Decay and "
              "Warmup-Stable-Decay", 2026, "2602.06797"),
        Paper("feature-learning", "Bordelon, Atanasov, Pehlevan 2024b",
              "B. Bordelon, A. Atanasov, C. Pehlevan",
              "How Feature Learning Can Improve Neural Scaling Laws", 2024, "2409.17858"),
        Paper("two-point", "Atanasov et al. 2025",
              "A. Atanasov, B. Bordelon, J. A. Zavatone-Veth, C. Paquette, C. Pehlevan",
              "Two-Point Deterministic Equivalence for Stochastic Gradient Dynamics in Linear "
              "Models", 2025, "2502.05074"),
        Paper("kaplan", "Kaplan et al. 2020", "J. Kaplan et al.",
              "Scaling Laws for Neural Language Models", 2020, "2001.08361"),
        Paper("marchenko-pastur", "Marchenko, Pastur 1967", "V. A. Marchenko, L. A. Pastur",
              "Distribution of Eigenvalues for Some Sets of Random Matrices", 1967),
        Paper("spiked", "Baik, Silverstein 2006", "J. Baik, J. W. Silverstein",
              "Eigenvalues of Large Sample Covariance Matrices of Spiked Population Models", 2006,
              "math/0408165"),
        Paper("arc-cosine", "Cho, Saul 2009", "Y. Cho, L. K. Saul",
              "Kernel Methods for Deep Learning", 2009),
        Paper("dual-activations", "Daniely, Frostig, Singer 2016",
              "A. Daniely, R. Frostig, Y. Singer",
              "Toward Deeper Understanding of Neural Networks: The Power "
              "of Initialization and a Dual View on Expressivity", 2016, "1602.05897"),
        Paper("tangent-kernel", "Jacot, Gabriel, Hongler 2018", "A. Jacot, F. Gabriel, C. Hongler",
              "Neural Tangent Kernel: Convergence and Generalization in Neural Networks", 2018,
              "1806.07572"),
        Paper("two-nearest", "Facco et al. 2017", "E. Facco, M. d'Errico, A. Rodriguez, A. Laio",
              "Estimating the Intrinsic Dimension of Datasets by a Minimal Neighborhood "
              "Information", 2017, "1803.06992"),
        Paper("wigner", "Wigner 1955", "E. P. Wigner",
              "Characteristic Vectors of Bordered Matrices with Infinite Dimensions", 1955),
        Paper("linear-statistics", "Bai, Silverstein 2004", "Z. D. Bai, J. W. Silverstein",
              "CLT for Linear Spectral Statistics of Large-Dimensional Sample Covariance Matrices",
              2004),
        Paper("cross-validation", "Golub, Heath, Wahba 1979", "G. H. Golub, M. Heath, G. Wahba",
              "Generalized Cross-Validation as a Method for Choosing a Good Ridge Parameter", 1979),
        Paper("linear-pencils", "Rashidi Far et al. 2006",
              "R. Rashidi Far, T. Oraby, W. Bryc, R. Speicher",
              "Spectra of Large Block Matrices", 2006, "cs/0610045"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """A place in a source: ``Reference("solvable-model", "163")``.

    >>> print(Reference("solvable-model", "163"))
    Maloney, Roberts, Sully 2022, eq. (163)
    """

    paper: str
    equation: str | None = None

    def __post_init__(self) -> None:
        if self.paper not in PAPERS:
            raise KeyError(f"unknown paper {self.paper!r}: one of {', '.join(PAPERS)}")

    def __str__(self) -> str:
        place = f", eq. ({self.equation})" if self.equation else ""
        return PAPERS[self.paper].short + place


def references(paper: str, *equations: str) -> tuple[Reference, ...]:
    """Several equations of one source.

    >>> [str(place) for place in references("solvable-model", "186", "188")]
    ['Maloney, Roberts, Sully 2022, eq. (186)', 'Maloney, Roberts, Sully 2022, eq. (188)']
    """
    return tuple(Reference(paper, equation) for equation in equations)


def cite(references: Iterable[Reference]) -> str:
    """References in a line, the equations of one paper together.

    >>> cite(references("solvable-model", "186", "188"))
    'Maloney, Roberts, Sully 2022, eqs. (186), (188)'
    """
    equations: dict[str, list[str]] = {}
    for reference in references:
        places = equations.setdefault(reference.paper, [])
        if reference.equation:
            places.append(f"({reference.equation})")
    parts = []
    for paper, places in equations.items():
        plural = "eqs." if len(places) > 1 else "eq."
        parts.append(PAPERS[paper].short + (f", {plural} {', '.join(places)}" if places else ""))
    return "; ".join(parts)
