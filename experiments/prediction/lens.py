"""The assumed camera of a picture."""

from __future__ import annotations

from smpl_tf.camera import FIELD_OF_VIEW, Camera, pinhole


class Lens:
    """A pinhole camera whose field of view can differ between pictures.

    Attributes:
      field_of_view: across the diagonal, degrees, of the current picture.
    """

    def __init__(self, given: float | None = None):
        """Sets the user's field of view.

        Args:
          given: the field of view of all pictures, degrees; None: each picture's own.
        """
        self._given = given
        self.field_of_view = given or FIELD_OF_VIEW

    def turn_to(self, recorded: float | None) -> None:
        """Switches to the next picture.

        Args:
          recorded: the field of view in its file, degrees; None: unknown.
        """
        self.field_of_view = self._given or recorded or FIELD_OF_VIEW

    def __call__(self, width: int, height: int) -> Camera:
        """The camera of the picture, given its size in pixels."""
        return pinhole(width, height, self.field_of_view)
