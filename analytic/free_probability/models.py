r"""The expressions of the field, as data: text, declarations, what they are.

Each `MatrixExpression` derives its equations on demand (`derive`, cached). The two that the papers
begin with have functions of their own: `random_feature_resolvent` gives equation (1),

    z = κ (1 − D₁(κ)/N)(1 − D₁(κ)/T),

and `gradient_flow_two_point` the linear system (2) of the correlation of the residual at two
frequencies.

Notation: Λ^{1/2} Z are the data (M×T, entries of Z of variance 1/T where T divides), A or U the
random features (N×M), W = diag(w_J²) the target power, all commuting with Λ; Γ and B do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..errors import InputError
from .declarations import MatrixModel
from .deriving import Reduced
from .deriving import derive as derive_expression
from .equations import SelfConsistentEquations
from .function_equations import FunctionEquations
from .text import parse_declarations
from .unreduced import UnreducedEquations


@dataclass(frozen=True)
class MatrixExpression:
    """A named expression with its declarations, in the text form of the command line."""

    name: str
    title: str
    text: str
    gaussian: tuple[str, ...] = ()
    symmetric: tuple[str, ...] = ()
    deterministic: tuple[str, ...] = ()
    commuting: tuple[str, ...] = ()
    complex_gaussian: tuple[str, ...] = ()
    hermitian: tuple[str, ...] = ()
    haar: tuple[str, ...] = ()
    unitary: tuple[str, ...] = ()
    permutation: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()

    def declarations(self) -> MatrixModel:
        """The declared matrices."""
        return parse_declarations(
            self.gaussian,
            self.symmetric,
            self.deterministic,
            self.commuting,
            self.complex_gaussian,
            self.hermitian,
            self.haar,
            self.unitary,
            self.permutation,
            self.profile,
        )

    def derive(self) -> SelfConsistentEquations:
        """The self-consistent equations (computed once in a process)."""
        found = _derived(self)
        assert isinstance(found, SelfConsistentEquations)
        return found

    def derive_anew(self) -> Reduced:
        """The same without memory."""
        found = derive_expression(self.text, self.declarations())
        assert not isinstance(found, UnreducedEquations)
        return found


@dataclass(frozen=True)
class LimitExpression(MatrixExpression):
    """An expression whose value is an integral over a resolvent, or its limit without a ridge."""

    def derived(self) -> FunctionEquations:
        """The value and its equations (computed once in a process)."""
        found = _derived(self)
        assert isinstance(found, FunctionEquations)
        return found


@cache
def _derived(expression: MatrixExpression) -> Reduced:
    return expression.derive_anew()


SAMPLE = "sqrt(L)*Z*Z.T*sqrt(L)"
FLOW = f"A.T*A*{SAMPLE}"
GRAM = "inv(U*sqrt(L)*X*X.T*sqrt(L)*U.T + N*T*z*I)"
LEARNED = f"U.T*{GRAM}*U*sqrt(L)*X*X.T*sqrt(L)"
NOISE = f"L*U.T*{GRAM}*U*sqrt(L)*X*X.T*sqrt(L)*U.T*{GRAM}*U"
OTHER = "sqrt(L)*Y*Y.T*sqrt(L)"
TEACHER = f"inv({SAMPLE} + z*I)*{SAMPLE}"
STUDENT = f"inv({OTHER} + z*I)*{OTHER}"
RIDGE = f"inv({SAMPLE} + z*I)"
RESIDUAL = f"(I - Z.T*sqrt(L)*{RIDGE}*sqrt(L)*Z)"
FEATURES = "inv((a*U*X + b*Q)*(a*U*X + b*Q).T + z*I)*(a*U*X + b*Q)"


def _row(
    name: str, title: str, text: str, *declared: str, **others: tuple[str, ...]
) -> MatrixExpression:
    """An expression whose matrices are told apart by the form of their declarations.

    NAME:ROWS,COLUMNS:VARIANCE is Gaussian, NAME:SIZE:VARIANCE symmetric, NAME:SIZE or
    NAME:ROWS,COLUMNS deterministic; NAME,NAME commute.
    """
    kinds: dict[str, list[str]] = {}
    for item in declared:
        parts = item.split(":")
        random = "gaussian" if "," in parts[-2:][0] else "symmetric"
        kind = {1: "commuting", 2: "deterministic"}.get(len(parts), random)
        kinds.setdefault(kind, []).append(item)
    return MatrixExpression(name, title, text, **{k: tuple(v) for k, v in kinds.items()}, **others)


_ALL = (
    _row("marchenko-pastur", "Marchenko–Pastur", "tr(inv(X*X.T + z*I))", "X:M,T:1/T"),
    _row("sample-covariance", "Structured Marchenko–Pastur",
         f"tr(inv({SAMPLE} + z*I))", "Z:M,T:1/T", "L:M"),
    _row("semicircle", "Semicircle", "tr(inv(z*I - W))", "W:M:sigma^2/M"),
    _row("deformed-wigner", "Deformed Wigner", "tr(inv(z*I + L + W))", "W:M:sigma^2/M", "L:M"),
    _row("wishart-plus-wigner", "Wishart plus Wigner",
         "tr(inv(z*I + X*X.T + W))", "X:M,T:1/T", "W:M:sigma^2/M"),
    _row("information-plus-noise", "Information plus noise",
         "tr(inv(z*I + (A + X)*(A + X).T))", "X:M,T:1/T", "A:M,T"),
    _row("separable-covariance", "Covariances on both sides",
         "tr(inv(z*I + sqrt(L)*Z*C*Z.T*sqrt(L)))", "Z:M,T:1/T", "L:M", "C:T"),
    _row("random-feature-resolvent", "Product of two Gaussian factors around Λ (random features)",
         f"tr(inv({FLOW} + z*I))", "A:N,M:1/N", "Z:M,T:1/T", "L:M"),
    _row("deep-random-features", "Product of three Gaussian factors around Λ",
         f"tr(inv(A.T*V.T*V*{FLOW.removeprefix('A.T*')} + z*I))",
         "A:N,M:1/N", "V:K,N:1/K", "Z:M,T:1/T", "L:M"),
    _row("ridge-bias", "Ridge regression: bias",
         f"z^2*Tr(L*inv({SAMPLE} + z*I)*W*inv({SAMPLE} + z*I))", "Z:M,T:1/T", "L:M", "W:M", "L,W"),
    _row("ridge-variance", "Ridge regression: variance",
         f"sigma^2*Tr(L*inv({SAMPLE} + z*I)*{SAMPLE}*inv({SAMPLE} + z*I))/T", "Z:M,T:1/T", "L:M"),
    _row("ridge-bias-shift", "Ridge regression: bias, test covariance Γ not commuting with Λ",
         f"z^2*Tr(G*inv({SAMPLE} + z*I)*B*inv({SAMPLE} + z*I))", "Z:M,T:1/T", "L:M", "G:M", "B:M"),
    _row("ridge-variance-shift",
         "Ridge regression: variance, test covariance Γ not commuting with Λ",
         f"sigma^2*Tr(G*inv({SAMPLE} + z*I)*{SAMPLE}*inv({SAMPLE} + z*I))/T",
         "Z:M,T:1/T", "L:M", "G:M"),
    _row("random-feature-loss", "Random-feature ridge regression: test loss with noise",
         f"Tr(L*(I - {LEARNED})*W*(I - {LEARNED}).T) + sigma^2*Tr({NOISE})",
         "U:N,M:1", "X:M,T:1", "L:M", "W:M", "L,W"),
    _row("nonlinear-features", "Linearised non-linear random features",
         "tr(inv(z*I + (a*U*X + b*Q)*(a*U*X + b*Q).T))", "U:N,M:1/M", "X:M,T:1/T", "Q:N,T:1/T"),
    _row("structured-nonlinear-features", "The same with structured data",
         "tr(inv(z*I + (a*U*sqrt(L)*X + b*Q)*(a*U*sqrt(L)*X + b*Q).T))",
         "U:N,M:1/M", "X:M,T:1/T", "Q:N,T:1/T", "L:M"),
    _row("generalised-ridge", "Generalised ridge: penalty G not commuting with Λ",
         f"tr(L*inv({SAMPLE} + z*G))", "Z:M,T:1/T", "L:M", "G:M"),
    _row("generalised-ridge-bias", "Generalised ridge: test loss of target G",
         f"z^2*Tr(L*inv({SAMPLE} + z*G)*G*inv({SAMPLE} + z*G))", "Z:M,T:1/T", "L:M", "G:M"),
    _row("two-populations", "Two populations of covariances Λ and Γ",
         f"tr(inv({SAMPLE} + sqrt(G)*Y*Y.T*sqrt(G) + z*I))",
         "Z:M,T:1/T", "Y:M,N:1/T", "L:M", "G:M"),
    _row("coloured-noise", "Information plus coloured noise",
         "tr(inv((A + sqrt(L)*X)*(A + sqrt(L)*X).T + z*I))", "X:M,T:1/T", "A:M,T", "L:M"),
    _row("wigner-plus-two", "Wigner matrix plus two fixed matrices",
         "tr(inv(z*I + L + G + W))", "W:M:sigma^2/M", "L:M", "G:M"),
    _row("complex-marchenko-pastur", "Marchenko–Pastur with complex entries",
         "tr(inv(X*X.H + z*I))", complex_gaussian=("X:M,T:1/T",)),
    _row("deformed-hermitian", "Deformed Gaussian unitary ensemble",
         "tr(inv(z*I + L + H))", "L:M", hermitian=("H:M:sigma^2/M",)),
    _row("fuss-catalan", "Product of two square Gaussian matrices (Fuss–Catalan)",
         "tr(inv(S*R*R.T*S.T + z*I))", "S:M,M:1/M", "R:M,M:1/M"),
    _row("gram-matrix", "Gram matrix of structured data",
         "tr(inv(Z.T*L*Z + z*I))", "Z:M,T:1/T", "L:M"),
    _row("degrees-of-freedom", "Degrees of freedom of ridge regression",
         f"Tr({SAMPLE}*inv({SAMPLE} + z*I))/T", "Z:M,T:1/T", "L:M"),
    _row("squared-resolvent", "Square of the resolvent of a sample covariance",
         f"tr(inv({SAMPLE} + z*I)^2)", "Z:M,T:1/T", "L:M"),
    _row("ridge-training-loss", "Ridge regression: training loss of the signal",
         f"z^2*Tr(W*inv({SAMPLE} + z*I)*{SAMPLE}*inv({SAMPLE} + z*I))",
         "Z:M,T:1/T", "L:M", "W:M", "L,W"),
    _row("ridge-test-loss", "Ridge regression: test loss with label noise",
         f"z^2*Tr(L*{RIDGE}*W*{RIDGE}) + sigma^2*Tr(L*{RIDGE}*{SAMPLE}*{RIDGE})/T + sigma^2",
         "Z:M,T:1/T", "L:M", "W:M", "L,W"),
    _row("generalised-cross-validation",
         "Generalised cross-validation: training loss over squared residual degrees of freedom",
         f"(z^2*Tr(W*{RIDGE}*{SAMPLE}*{RIDGE}) + sigma^2*Tr({RESIDUAL}*{RESIDUAL})/T)"
         f"/(1 - Tr({SAMPLE}*{RIDGE})/T)^2", "Z:M,T:1/T", "L:M", "W:M", "L,W"),
    _row("log-determinant", "Log determinant of a sample covariance",
         f"Tr(log({SAMPLE} + z*I))", "Z:M,T:1/T", "L:M"),
    _row("random-feature-log-determinant", "Log determinant of the random-feature kernel",
         f"Tr(log({FLOW} + z*I))", "A:N,M:1/N", "Z:M,T:1/T", "L:M"),
    _row("wigner-log-determinant", "Log determinant of a deformed Wigner matrix",
         "Tr(log(z*I + L + W))", "W:M:sigma^2/M", "L:M"),
    _row("rotation-plus-transpose", "Haar matrix plus its transpose (arcsine law)",
         "tr(inv(z*I - O - O.T))", haar=("O:M",)),
    _row("kesten-mckay", "Two Haar matrices and their transposes (Kesten, McKay)",
         "tr(inv(z*I - O1 - O1.T - O2 - O2.T))", haar=("O1:M", "O2:M")),
    _row("random-regular-graph", "Two permutations and their inverses (random regular graph)",
         "tr(inv(z*I - P1 - P1.T - P2 - P2.T))", permutation=("P1:M", "P2:M")),
    _row("unitary-sum", "Three Haar unitary matrices and their adjoints",
         "tr(inv(z*I - U1 - U1.H - U2 - U2.H - U3 - U3.H))", unitary=("U1:M", "U2:M", "U3:M")),
    _row("free-sum", "Sum of two matrices in general position",
         "tr(inv(L + O*B*O.T + z*I))", "L:M", "B:M", haar=("O:M",)),
    _row("free-product", "Product of two matrices in general position",
         "tr(inv(sqrt(L)*O*B*O.T*sqrt(L) + z*I))", "L:M", "B:M", haar=("O:M",)),
    _row("rotated-features", "Sample covariance of rotated data with a fixed matrix",
         "tr(inv(L + O*sqrt(B)*X*X.T*sqrt(B)*O.T + z*I))", "X:M,T:1/T", "L:M", "B:M",
         haar=("O:M",)),
    _row("block-profile", "Piecewise constant variance profile of two by two blocks",
         "tr(inv(X*X.T + z*I))", profile=("X:M+N,T+K:1/T,3/T|2/T,1/T",)),
    _row("sum-of-wisharts", "Sum of two Wishart matrices",
         "tr(inv(X*X.T + Y*Y.T + z*I))", "X:M,T:1/T", "Y:M,N:1/N"),
    _row("difference-of-wisharts", "Difference of two Wishart matrices",
         "tr(inv(X*X.T - Y*Y.T + z*I))", "X:M,T:1/T", "Y:M,N:1/N"),
    _row("sandwiched-wigner", "Wigner matrix between square roots",
         "tr(inv(z*I - sqrt(L)*V*sqrt(L)))", "V:M:sigma^2/M", "L:M"),
    _row("whitened-covariance", "Covariance whitened by the ridge of another sample",
         "tr(inv(inv(X*X.T + z*I)*Y*Y.T + z*I))", "X:M,T:1/T", "Y:M,N:1/N"),
    _row("variance-profile", "Variance profile of rank two",
         "tr(inv((sqrt(L)*X + Y*sqrt(C))*(sqrt(L)*X + Y*sqrt(C)).T + z*I))",
         "X:M,T:1/T", "Y:M,T:1/T", "L:M", "C:T"),
    _row("deep-linear-network", "Kernel of a deep linear network of four layers on structured data",
         f"tr(inv(V1.T*V2.T*V3.T*V4.T*V4*V3*V2*V1*{SAMPLE} + z*I))",
         "Z:M,T:1/T", "V1:N,M:1/N", "V2:K,N:1/K", "V3:N,K:1/N", "V4:M,N:1/M", "L:M"),
    _row("neural-tangent-kernel",
         "Linearised neural tangent kernel of two layers (Adlam, Pennington)",
         "tr(inv(z*I + s*X.T*X + (a*U*X + b*Q).T*(a*U*X + b*Q)))",
         "U:N,M:1/M", "X:M,T:1/T", "Q:N,T:1/T"),
    _row("nonlinear-features-loss",
         "Linearised non-linear random features: test loss (Mei, Montanari)",
         f"1 - 2*a*Tr(U.T*{FEATURES}*X.T)/M"
         f" + Tr((a^2*U*U.T + b^2*I)*{FEATURES}*X.T*X*({FEATURES}).T)/M",
         "U:N,M:1/M", "X:M,T:1/T", "Q:N,T:1/T"),
    _row("federated-ridge", "Federated ridge regression: correlation of two clients",
         f"z^2*Tr(L*inv({SAMPLE} + z*I)*W*inv({OTHER} + z*I))",
         "Z:M,T:1/T", "Y:M,N:1/N", "L:M", "W:M", "L,W"),
    _row("federated-loss", "Federated ridge regression: test loss of the average of two clients",
         f"z^2*Tr(L*(inv({SAMPLE} + z*I) + inv({OTHER} + z*I))*W"
         f"*(inv({SAMPLE} + z*I) + inv({OTHER} + z*I)))/4",
         "Z:M,T:1/T", "Y:M,N:1/N", "L:M", "W:M", "L,W"),
    _row("distilled-ridge", "Distilled ridge regression: a student on fresh data",
         f"Tr(L*(I - {STUDENT}*{TEACHER})*W*(I - {STUDENT}*{TEACHER}).T)",
         "Z:M,T:1/T", "Y:M,N:1/N", "L:M", "W:M", "L,W"),
    _row("gradient-flow", "Gradient flow: correlation of the residual at two frequencies",
         f"Tr(L*inv({FLOW} + z*I)*(W + sigma^2/(T*z*z')*{FLOW}*A.T*A)*inv({FLOW} + z'*I).T)",
         "A:N,M:1/N", "Z:M,T:1/T", "L:M", "W:M", "L,W"),
)  # fmt: skip

EXPRESSIONS = {expression.name: expression for expression in _ALL}

_LIMITS = (
    LimitExpression("inverse-wishart", "Inverse Wishart", "tr(inv(X*X.T))", ("X:M,R:1/R",)),
    LimitExpression(
        "inverse-sample-covariance", "Inverse of a sample covariance", f"tr(inv({SAMPLE}))",
        ("Z:M,R:1/R",), deterministic=("L:M",),
    ),
    LimitExpression(
        "minimum-norm-loss", "Minimum-norm interpolation: test loss of the signal",
        "Tr(L*(I - sqrt(L)*Z*pinv(sqrt(L)*Z))*W*(I - sqrt(L)*Z*pinv(sqrt(L)*Z)))",
        ("Z:N,M:1/M",), deterministic=("L:N", "W:N"), commuting=("L,W",),
    ),
    LimitExpression(
        "f-matrix", "F matrix: a Wishart matrix in the metric of another",
        "tr(inv(inv(X*X.T)*Y*Y.T + z*I))", ("X:M,T:1/T", "Y:M,N:1/N"),
    ),
    LimitExpression(
        "jacobi-matrix", "Jacobi (Wachter) matrix",
        "tr(inv(inv(X*X.T + Y*Y.T)*Y*Y.T + z*I))", ("X:M,T:1", "Y:M,N:1"),
    ),
    LimitExpression(
        "fractional-moment", "Moment of order 1/2 of a sample covariance",
        f"tr(sqrt({SAMPLE}))", ("Z:M,T:1/T",), deterministic=("L:M",),
    ),
    LimitExpression(
        "heat-kernel", "Exponential of a sample covariance (gradient flow)",
        f"tr(L*exp(-s*{SAMPLE}))", ("Z:M,T:1/T",), deterministic=("L:M",),
    ),
)  # fmt: skip
LIMITS = {limit.name: limit for limit in _LIMITS}


def expression(name: str) -> MatrixExpression:
    """The expression of this name.

    >>> expression("semicircle").text
    'tr(inv(z*I - W))'
    """
    known = {**EXPRESSIONS, **LIMITS}
    if name not in known:
        raise InputError("name", name, "one of " + ", ".join(known))
    return known[name]


def random_feature_resolvent() -> SelfConsistentEquations:
    """Equation (1), derived from tr (AᵀA Λ^{1/2}ZZᵀΛ^{1/2} + z)^{-1}.

    >>> print(random_feature_resolvent().relations[0])
    Eq(z, kappa*(1 - D_1(kappa)/N)*(1 - D_1(kappa)/T))
    """
    return expression("random-feature-resolvent").derive()


def gradient_flow_two_point() -> SelfConsistentEquations:
    """System (2), derived from the residual v(z) of gradient flow.

    With Q(z) = z + (AᵀA)(ΨΨᵀ), entries of A of variance 1/N and Ψ = Λ^{1/2}Z of 1/T, the
    residual is v = Q^{-1}(w − AᵀAΨε/z) and the expression is E vᵀ(z)Λv(z') over independent
    weights and noise.
    """
    return expression("gradient-flow").derive()
