"""What a run says of a precision that does not suit its device."""

import keras
import pytest
import tensorflow as tf

from experiments.runs import common


@pytest.mark.parametrize(
    ("policy", "devices", "able", "warned"),
    [
        ("mixed_bfloat16", 1, False, True),
        ("mixed_bfloat16", 1, True, False),
        ("mixed_bfloat16", 2, False, False),
        ("mixed_float16", 1, False, False),
    ],
)
def test_bfloat16_on_a_cpu_is_warned_of(policy, devices, able, warned, monkeypatch, capsys):
    monkeypatch.setattr(common, "_multiplies_bfloat16", lambda: able)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: ["device"] * devices)
    try:
        common.prepare_keras(0, policy)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert ("warning: mixed_bfloat16 makes" in capsys.readouterr().err) == warned
