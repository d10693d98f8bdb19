"""Names a body in a saved model, and finds the body again when the model is loaded."""

from typing import Any

from smpl_tf.model_data.arrays import SMPLModelData, living_bodies
from smpl_tf.model_data.files import ModelFileError
from smpl_tf.model_data.loading import load_model_data


class BodyNotFoundError(ValueError):
    """A saved model needs a body that cannot be found."""


def body_spec(data: SMPLModelData) -> dict[str, Any]:
    """Describes a body without any of its numbers.

    Args:
      data: the body.

    Returns:
      Its name, gender, fingerprint and path, ready for JSON.
    """
    return {
        "name": data.name,
        "gender": data.gender,
        "fingerprint": data.fingerprint,
        "path": data.path,
    }


def find_body(spec: dict[str, Any]) -> SMPLModelData:
    """Finds the body that a spec names: in memory, in the library, or at its old path.

    Args:
      spec: from `body_spec`.

    Returns:
      The body.

    Raises:
      BodyNotFoundError: if it is not found, or its file contains another body.
    """
    for data in living_bodies():  # by its numbers alone, since files may be renamed
        if data.fingerprint == spec["fingerprint"]:
            return data
    called = f"body {spec['name']} ({spec['gender']}, fingerprint {spec['fingerprint']})"
    try:
        if spec["name"] == "open_body" and spec["path"] is None:
            data = load_model_data(gender=spec["gender"])
        elif spec["path"] is not None:
            data = load_model_data(spec["path"], spec["gender"])
        else:
            raise ModelFileError("it was made in memory, not loaded from a file.")
    except ModelFileError as error:
        raise BodyNotFoundError(
            f"The saved model needs {called}, which cannot be read: {error} Load it with "
            "smpl_tf.load_model_data and keep it while you load the model."
        ) from None
    if data.fingerprint != spec["fingerprint"]:
        place = spec["path"] or "this version of smpl_tf"
        raise BodyNotFoundError(
            f"The saved model needs {called}, but {place} contains another one (fingerprint "
            f"{data.fingerprint}). Load the right one with smpl_tf.load_model_data and keep it "
            "while you load the model."
        )
    return data
