"""From a table of losses back to a law: parameters, what the table determines, and forecasts.

`fit` fits one form to a table (`loss_table`): the published ones (`forms`), by variable projection
with Huber loss on log loss (`huber`), or the exact loss of the solvable model (`exact_form`).
`likelihood` gives profile and bootstrap intervals and says which parameters are undetermined;
`extrapolation` compares all forms on the same held-out rows and looks for a breakdown; `frontier`
splits a budget.
"""

from .fitting import FORMS, Fit, FittedParameter, fit
from .loss_table import LossTable, loss_table

__all__ = ["FORMS", "Fit", "FittedParameter", "LossTable", "fit", "loss_table"]
