"""Functional Keras models that are rebuilt from the arguments of their constructor."""

import keras


class ConfiguredModel(keras.Model):
    """A functional model whose saved form is its constructor's arguments, not its graph.

    Args:
      inputs: what `keras.Input` gave.
      outputs: what the network makes of it.
      config: the constructor's arguments, by name.
      name: of the model.
    """

    def __init__(self, inputs, outputs, config: dict, name: str):
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self._config = config

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**self._config, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Builds the network from `get_config`."""
        return cls(**config)
