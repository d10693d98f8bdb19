"""The camera that a picture is taken to have been made with."""

from __future__ import annotations

from smpl_tf.camera import FIELD_OF_VIEW, Camera, pinhole


class Lens:
    """A pinhole camera whose field of view may be another for every picture.

    Attributes:
      field_of_view: across the diagonal, degrees, of the picture at hand.
    """

    def __init__(self, given: float | None = None):
        """Takes what the user knows.

        Args:
          given: the field of view of all pictures, degrees; None: each picture's own.
        """
        self._given = given
        self.field_of_view = given or FIELD_OF_VIEW

    def turn_to(self, recorded: float | None) -> None:
        """Goes on to the next picture.

        Args:
          recorded: the field of view that its file names, degrees; None: it names none.
        """
        self.field_of_view = self._given or recorded or FIELD_OF_VIEW

    def __call__(self, width: int, height: int) -> Camera:
        """The camera of the picture, given its size in pixels."""
        return pinhole(width, height, self.field_of_view)
