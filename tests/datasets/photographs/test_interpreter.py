"""A small .tflite network, run."""

import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from datasets.photographs.interpreter import load_network


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    @tf.function(input_signature=[tf.TensorSpec([1, 2, 2, 3])])
    def run(picture):
        return 2.0 * picture, tf.reduce_sum(picture, axis=[1, 2, 3])[:, None]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], run)
    path = tmp_path_factory.mktemp("network") / "small.tflite"
    path.write_bytes(converter.convert())
    return path


def test_outputs_go_by_their_shape(network_file):
    # A warning of TensorFlow's about its interpreter would fail this test.
    network = load_network(network_file)
    picture = np.arange(12.0).reshape(2, 2, 3)
    answers = network(picture)
    assert set(answers) == {(2, 2, 3), (1,)}
    np.testing.assert_array_equal(answers[2, 2, 3], 2 * picture)
    np.testing.assert_array_equal(answers[(1,)], [66])
    np.testing.assert_array_equal(network(0 * picture)[(1,)], [0])
    np.testing.assert_array_equal(answers[(1,)], [66])  # not overwritten


def test_the_successor_is_taken_where_it_is_installed(network_file, monkeypatch):
    paths = []

    class Interpreter(tf.lite.Interpreter):
        def __init__(self, path, num_threads):
            paths.append(path)
            super().__init__(path, num_threads=num_threads)

    package, module = types.ModuleType("ai_edge_litert"), types.ModuleType("interpreter")
    module.Interpreter = Interpreter
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    load_network(network_file)
    assert paths == [str(network_file)]


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "text.tflite").write_text("text")
    with pytest.raises(ValueError):
        load_network(tmp_path / "text.tflite")
