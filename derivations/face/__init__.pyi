from .analytic.asymptotics.allocation import (
    Allocation as Allocation,
)
from .analytic.asymptotics.allocation import (
    TimeAllocation as TimeAllocation,
)
from .analytic.asymptotics.allocation import (
    allocate as allocate,
)
from .analytic.asymptotics.allocation import (
    time_allocation as time_allocation,
)
from .analytic.asymptotics.dynamic_laws import (
    bottleneck_laws as bottleneck_laws,
)
from .analytic.asymptotics.dynamic_laws import (
    compute_frontier as compute_frontier,
)
from .analytic.asymptotics.dynamic_laws import (
    compute_optimal as compute_optimal,
)
from .analytic.asymptotics.limits import (
    limit as limit,
)
from .analytic.asymptotics.regimes import (
    RegimeMap as RegimeMap,
)
from .analytic.asymptotics.regimes import (
    size_map as size_map,
)
from .analytic.asymptotics.regimes import (
    time_map as time_map,
)
from .analytic.dynamics import (
    DynamicLoss as DynamicLoss,
)
from .analytic.dynamics import (
    dynamics as dynamics,
)
from .analytic.errors import (
    InputError as InputError,
)
from .analytic.errors import (
    OutsideTheoryError as OutsideTheoryError,
)
from .analytic.errors import (
    PrecisionError as PrecisionError,
)
from .analytic.errors import (
    SolvableError as SolvableError,
)
from .analytic.formula import (
    Formula as Formula,
)
from .analytic.free_probability import (
    SelfConsistentEquations as SelfConsistentEquations,
)
from .analytic.free_probability import (
    derive as derive,
)
from .analytic.free_probability import (
    parse_declarations as parse_declarations,
)
from .analytic.learners import (
    GradientDescent as GradientDescent,
)
from .analytic.learners import (
    GradientFlow as GradientFlow,
)
from .analytic.learners import (
    HeavyBall as HeavyBall,
)
from .analytic.learners import (
    OnePassSGD as OnePassSGD,
)
from .analytic.learners import (
    RidgeRegression as RidgeRegression,
)
from .analytic.loss import (
    StaticLoss as StaticLoss,
)
from .analytic.loss import (
    excess_loss_formula as excess_loss_formula,
)
from .analytic.loss import (
    isotropic_loss_formula as isotropic_loss_formula,
)
from .analytic.loss import (
    static_loss as static_loss,
)
from .analytic.optimal_ridge import (
    optimal_ridge as optimal_ridge,
)
from .analytic.power_sums import (
    enclosure as enclosure,
)
from .analytic.power_sums import (
    power_sum as power_sum,
)
from .analytic.power_sums import (
    power_sum_with_error as power_sum_with_error,
)
from .analytic.resolvent import (
    Solution as Solution,
)
from .analytic.resolvent import (
    eigenvalue_density as eigenvalue_density,
)
from .analytic.resolvent import (
    expected_eigenvalues as expected_eigenvalues,
)
from .analytic.resolvent import (
    self_consistent_equation as self_consistent_equation,
)
from .analytic.resolvent import (
    solve as solve,
)
from .analytic.spectral_functions import (
    DegreesOfFreedom as DegreesOfFreedom,
)
from .analytic.spectral_functions import (
    TargetSum as TargetSum,
)
from .analytic.spectrum import (
    CutoffPowerLaw as CutoffPowerLaw,
)
from .analytic.spectrum import (
    Empirical as Empirical,
)
from .analytic.spectrum import (
    Flat as Flat,
)
from .analytic.spectrum import (
    PowerLaw as PowerLaw,
)
from .analytic.spectrum import (
    Spectrum as Spectrum,
)
from .analytic.stopping import (
    optimal_stopping as optimal_stopping,
)
