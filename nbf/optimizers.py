"""The paper's optimiser: Adam whose learning rate falls polynomially to zero."""

import keras


def paper_optimizer(
    steps: int, learning_rate: float = 4e-5, power: float = 0.9, beta_1: float = 0.5
) -> keras.optimizers.Optimizer:
    """Makes the optimiser.

    Weight decay is an L2 term in the loss (`FittingLoss.weight_decay`), as in the paper's code,
    not AdamW's.

    Args:
      steps: batches of the whole training, at whose end the learning rate is zero.
      learning_rate: at the start; 4e-5 for the fitting network, 2e-5 for segmentation.
      power: of the polynomial.
      beta_1: Adam's first decay rate.

    Returns:
      A Keras optimizer.

    Source: paper appendix B; power and beta_1 from the released code, options.py:34-41.
    """
    schedule = keras.optimizers.schedules.PolynomialDecay(
        learning_rate, steps, end_learning_rate=0.0, power=power
    )
    return keras.optimizers.Adam(schedule, beta_1=beta_1)
