"""Functional Keras models that are rebuilt from their constructor's arguments."""

from pathlib import Path
from typing import Any

import keras

from smpl_tf.saved_models import load_model
from smplr import pretrained


class ConfiguredModel(keras.Model):
    """A functional model whose saved form is its constructor's arguments, not its graph.

    Args:
      inputs: from `keras.Input`.
      outputs: of the network.
      config: the constructor's arguments, by name.
      name: of the model.
    """

    def __init__(self, inputs: Any, outputs: Any, config: dict[str, Any], name: str):
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._config = config

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**self._config, "name": self.name}

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "ConfiguredModel":
        """Loads a trained network.

        Args:
          name: one of `smplr.pretrained.NAMES`, the folder of a finished run, or a `.keras` file.

        Returns:
          The network, not compiled.

        Raises:
          ValueError: it is missing, damaged, or of another kind.
        """
        return load_model(pretrained.model_file(name), cls)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "ConfiguredModel":
        """Builds the network from `get_config`."""
        return cls(**config)
