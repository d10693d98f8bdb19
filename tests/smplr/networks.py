"""What the tests of all SMPLR networks need."""

import keras
import numpy as np


def count_trainable(model: keras.Model) -> int:
    """Returns the number of trainable weights."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def saved_and_loaded(model: keras.Model, folder) -> keras.Model:
    """Returns a model as it comes back from a file."""
    path = folder / "model.keras"
    model.save(path)
    return keras.saving.load_model(path)
