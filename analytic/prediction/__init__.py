"""From a kernel matrix and labels to learning curves, without a fitted parameter.

`predict` takes the kernel matrix of a pool of P labelled points and gives the test error of kernel
ridge regression, or of regression on N random features, trained on T of them: by the site formula
(`sites`), with free compression (`compression`) as the fast route and the textbook (`textbook`)
beside them; `training_time` follows gradient flow. `one_training_set` holds cross-validation,
`hermite_eigenstructure` the prediction from the covariance of the inputs alone.
"""

from .curves import Prediction, predict
from .kernel_matrix import KERNELS, KernelMatrix, kernel_matrix
from .targets import as_targets

__all__ = ["KERNELS", "KernelMatrix", "Prediction", "as_targets", "kernel_matrix", "predict"]
