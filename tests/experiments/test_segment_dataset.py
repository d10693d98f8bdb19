import numpy as np
import pytest
from absl import flags

from datasets import manifests, pipelines
from experiments import segment_dataset
from experiments.nbf import data as nbf_data
from experiments.nbf import networks, segmenters
from experiments.nbf.flags import define_run_flags
from experiments.runs.run_folder import RunFolder
from smpl_tf.parts import PARTS_12, merge_labels


@pytest.fixture(scope="module")
def untrained(people, tmp_path_factory):
    """A run of a segmenter that has learnt nothing: what it finds is still its own."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "parts")
    values = flags.FlagValues()
    define_run_flags(values)
    values(
        [
            *("", "--stage=segmentation", f"--data={people}", "--input_size=16"),
            *("--segmenter_width=4", "--crop_size=24", "--batch_size=8"),
        ]
    )
    run.adopt_flags(values)
    segmenter = segmenters.build_segmenter(values)
    segmenters.compile_segmenter(segmenter, values, 1)
    segmenter.save(run.model_file)
    return run


@pytest.mark.slow
def test_the_parts_are_the_segmenters_and_all_else_is_the_data_sets(untrained, call, tmp_path):
    arguments = (f"--run={untrained.path}", "--split=val", f"--output={tmp_path / 'found'}")
    answer = call(segment_dataset, *arguments)
    assert answer.status == 0, answer.err
    assert "8 people of split 'val'" in answer.out
    segmenter, values = segmenters.load_segmenter(untrained), networks.flags_of(untrained)
    cropped = pipelines.load(values.data, "val", transform=nbf_data.crop(values))
    convert = segmenters.feed(values).convert
    several = set()
    for new, old in zip(pipelines.load(str(tmp_path / "found"), "val"), cropped, strict=True):
        found = segmenter(convert(old)[0][None])[0].numpy().argmax(-1)
        there = merge_labels(new["parts"].numpy(), PARTS_12)
        assert there.shape == (24, 24)
        # 16 pixels for 24: two for one, one for the next.
        rows = (np.arange(24) * 16) // 24
        np.testing.assert_array_equal(there, found[np.ix_(rows, rows)])
        several |= set(np.unique(found))
        for key in old.keys() - {"parts", "parts/valid", "objects/encoded", "objects/valid"}:
            np.testing.assert_array_equal(new[key], old[key], err_msg=key)
        assert new["parts/valid"] == 1
    assert len(several) > 1

    # Asked again, it is done; of other pictures, it is refused.
    before = manifests.read(str(tmp_path / "found"), "val")
    assert call(segment_dataset, *arguments).status == 0
    assert manifests.read(str(tmp_path / "found"), "val") == before
    assert before.config["parts_by"] == "parts" and before.config["num_parts"] == 12


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, ["--run is missing"]),
        (["--run=/nowhere", "--output=/nowhere"], 1, ["/nowhere: no run here"]),
    ],
)
def test_a_mistake_is_one_line(call, arguments, status, words):
    answer = call(segment_dataset, *arguments)
    assert answer.status == status and answer.err.count("\n") == 1
    assert all(word in answer.err for word in words)
