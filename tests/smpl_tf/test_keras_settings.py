import json
import os
import subprocess
import sys

import keras
import pytest

from nbf.backbones import build_backbone, dilated_backbone
from nbf.point_encoder import point_encoder
from smpl_tf import keras_settings
from smplr import StackedHourglass


@pytest.mark.parametrize("statement", ["from smpl_tf import SMPL", "import nbf", "import smplr"])
@pytest.mark.parametrize("place", ["variable", "file"])
def test_another_backend_is_refused_in_one_line_before_keras_is_imported(
    statement, place, tmp_path
):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_BACKEND": "jax"} if place == "variable" else {}
    environment |= {"KERAS_HOME": str(tmp_path)} if place == "file" else {}
    answer = subprocess.run(
        [sys.executable, "-c", statement], env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 1
    last = answer.stderr.splitlines()[-1]
    where = "KERAS_BACKEND" if place == "variable" else str(tmp_path / "keras.json")
    assert last.startswith("ImportError: Keras is set to the backend 'jax' by ") and where in last
    assert "KERAS_BACKEND=tensorflow" in last


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}"])
def test_without_settings_keras_runs_on_tensorflow(content, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras")
    if content is not None:
        (tmp_path / "keras.json").write_text(content)
    keras_settings.check_backend()


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_backbone("small", (32, 32, 3)),
        lambda: build_backbone("vgg16", (32, 32, 3)),
        lambda: dilated_backbone("vgg16", (32, 32, 3)),
        lambda: point_encoder(5, 64),
        lambda: StackedHourglass(64, 1, 16, 4),
    ],
)
def test_channels_first_is_refused_in_one_line(build):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="channels_first, expected channels_last") as caught:
            build()
    finally:
        keras.config.set_image_data_format("channels_last")
    assert "\n" not in str(caught.value)
