import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from datasets.splits import mixture, open_split
from experiments import evaluate_nbf, train_nbf
from experiments.nbf import (
    chained_evaluation,
    networks,
    segmentation_evaluation,
    segmenters,
    stages,
)
from experiments.nbf import data as nbf_data
from experiments.nbf.flags import define_run_flags
from experiments.runs import common
from experiments.runs.run_folder import RunFolder
from nbf import FittingNetwork, SmallSegmenter, targets
from smpl_tf.parts import PARTS_12

AUGMENTATION = (
    *("--mirror", "--most_rotation=45", "--most_scale=0.1", "--most_shift=0.05"),
    "--colour_strength=1",
)


def flags_of(*arguments):
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", *arguments])
    return values


@pytest.fixture(scope="module")
def small(people):
    """Flags of a segmentation that takes seconds."""
    return (
        *("--stage=segmentation", f"--data={people}", "--input_size=32", "--segmenter_width=4"),
        *("--batch_size=8", "--epochs=2", "--learning_rate=0.01", "--nodeterministic"),
        *AUGMENTATION,
    )


@pytest.fixture(scope="module")
def segmented(small, tmp_path_factory):
    """The folder of a finished segmentation."""
    runs = tmp_path_factory.mktemp("runs")
    arguments = ["train_nbf.py", *small, f"--runs_dir={runs}", "--run_name=parts"]
    assert common.run(train_nbf.main, define_run_flags, arguments) == 0
    return runs / "parts"


def test_a_segmentation_ends_with_a_record_and_a_page(segmented):
    record = RunFolder(segmented).read_record()
    assert record["metrics"].keys() == segmentation_evaluation.METRICS.keys()
    assert list(record["iou_percent"]) == list(PARTS_12.names)
    ious = np.array(list(record["iou_percent"].values()), float)
    metrics = record["metrics"]
    np.testing.assert_allclose(metrics["mean_iou_percent"], np.nanmean(ious[1:]), rtol=1e-5)
    whole = metrics["mean_iou_with_background_percent"]
    np.testing.assert_allclose(whole, np.nanmean(ious), rtol=1e-5)
    history = record["history"]
    assert len(history["val_iou_parts"]) == 2
    assert history["loss"][1] < history["loss"][0]
    page = (segmented / "report" / "index.html").read_text()
    # Two people of each quarter and the two worst: picture, predicted parts, true parts.
    assert page.count('<img src="data:image/') == 5 * 2 * 3
    assert f"{metrics['mean_iou_percent']:.1f} %" in page
    assert "IoU of left lower arm" in page
    assert list((segmented / "tensorboard" / "pictures").glob("events*"))


def test_the_evaluation_of_its_checkpoint_gives_the_same_numbers(segmented, call, tmp_path):
    answer = call(evaluate_nbf, f"--run={segmented}", f"--output={tmp_path}")
    assert answer.status == 0, answer.err
    again = json.loads((tmp_path / "record.json").read_text())
    record = RunFolder(segmented).read_record()
    assert again["metrics"] == pytest.approx(record["metrics"], rel=1e-4)
    assert again["iou_percent"] == pytest.approx(record["iou_percent"], rel=1e-4)


def test_augmented_batches_do_not_depend_on_where_the_training_started(small):
    values = flags_of(*small)
    feed = segmenters.feed(values)
    split = mixture([[open_split(values.data, "train")]])
    from_the_start, steps = nbf_data.training_batches(values, split, 0, feed)
    resumed, _ = nbf_data.training_batches(values, split, 1, feed)
    first = list(from_the_start.take(2 * steps))[steps:]
    for (pictures, true), (again, true_again) in zip(first, resumed.take(steps), strict=True):
        np.testing.assert_array_equal(pictures, again)
        np.testing.assert_array_equal(true["labels"], true_again["labels"])


def test_no_augmentation_leaves_the_pictures_as_they_are(small):
    values = flags_of(*small, "--nomirror", "--most_rotation=0", "--most_scale=0")
    assert nbf_data.augmentation(values) is not None
    values = flags_of("--nomirror")
    assert nbf_data.augmentation(values) is None


@pytest.mark.slow
def test_both_stages_chained_give_errors_and_part_scores_of_each_person(
    finished, segmented, call, tmp_path
):
    answer = call(
        evaluate_nbf,
        *(f"--run={finished}", f"--segmentation_run={segmented}", f"--output={tmp_path}"),
    )
    assert answer.status == 0, answer.err
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["segmentation_run"] == "parts"
    by_person = record["by_person"]
    assert {len(values) for values in by_person.values()} == {16}
    errors = np.array(by_person["err_joints3d_mm"])
    np.testing.assert_allclose(errors.mean(), record["metrics"]["err_joints3d_mm"], rtol=1e-4)
    # The F1 scores are those of the segmentation alone.
    alone = RunFolder(segmented).read_record()["metrics"]["mean_f1_percent"]
    chained = record["segmentation_metrics"]["mean_f1_percent"]
    np.testing.assert_allclose(chained, alone, rtol=1e-4)
    # The mean pose does not look at parts.
    single = RunFolder(finished).read_record()
    assert record["mean_pose_metrics"] == pytest.approx(single["mean_pose_metrics"], rel=1e-4)
    page = (tmp_path / "index.html").read_text()
    assert "predicted parts" in page and "mean F1 of the parts" in page


@pytest.mark.slow
def test_a_fitting_network_may_learn_from_what_a_segmenter_finds(finished, segmented):
    run = RunFolder(finished)
    values = networks.flags_of(run, segmentation_run=str(segmented))
    stage = stages.stage_of(values)
    feed = stage.feed(values)
    train, test = (open_split(values.data, name) for name in ("train", "test"))
    batches, _ = nbf_data.training_batches(values, mixture([[train]]), 0, feed)
    inputs, _ = next(iter(batches))
    assert inputs["input_map"].shape == (8, 16, 16, 3)
    # What it sees is what the chained model shows to its second stage, bit by bit.
    segmenter = segmenters.load_segmenter(RunFolder(segmented))
    network = networks.load_network(run)
    model = segmenters.join_stages(segmenter, network)
    examples = next(iter(nbf_data.held_out_examples(values, test, feed).batch(8)))
    seen = feed.convert(examples)[0]["input_map"]
    pictures, _ = targets.picture_targets(examples, segmenter.input_size)
    np.testing.assert_array_equal(seen, model(pictures)["input_map"])
    # So the evaluation of such a run is that of the chain.
    alone = stage.evaluate(network, values, test).errors["err_joints3d_mm"]
    chained = chained_evaluation.evaluate(model, values, test).errors["err_joints3d_mm"]
    np.testing.assert_allclose(alone, chained, rtol=1e-4)


def test_a_run_of_the_wrong_stage_is_refused_in_one_line(finished, segmented, call):
    wrong = (
        (f"--run={segmented}", f"--segmentation_run={segmented}"),
        (f"--run={finished}", f"--segmentation_run={finished}"),
    )
    for arguments, kind in zip(wrong, ("FittingNetwork", "PartSegmenter"), strict=True):
        answer = call(evaluate_nbf, *arguments)
        assert answer.status == 1
        assert answer.err.count("\n") == 1 and f"expected a {kind}, got" in answer.err


def test_a_segmentation_of_other_parts_than_the_fitting_saw_is_refused():
    network = FittingNetwork("small", input_size=16, input_map="parts_12")
    segmenter = SmallSegmenter(num_parts=6, input_size=16, width=4)
    with pytest.raises(common.UserError, match="predicts parts_6, .* takes parts_12; give a"):
        segmenters.join_stages(segmenter, network)
    with pytest.raises(common.UserError, match="takes rgb"):
        segmenters.join_stages(segmenter, FittingNetwork("small", 16, input_map="rgb"))


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--input_size=40", ["input_size=40", "multiple of 16"]),
        ("--num_parts=13", ["13", "parts"]),
        ("--segmenter=deeplab", ["small", "DeepLab"]),
    ],
)
def test_a_mistake_is_one_line_with_what_to_mend(small, call, tmp_path, flag, words):
    answer = call(train_nbf, *small, flag, f"--runs_dir={tmp_path}")
    assert answer.status == 1
    assert answer.err.count("\n") == 1 and "unexpected" not in answer.err
    assert all(word in answer.err for word in words), answer.err


def test_part_scores_are_means_over_the_parts_in_the_picture():
    labels = np.zeros((3, 2, 4), np.int32)
    labels[0] = [[1, 1, 2, 2], [0, 0, 0, 0]]
    labels[1] = labels[0]
    seen = labels.copy()
    seen[1] = [[1, 1, 1, 2], [0, 0, 0, 0]]  # one pixel of part 2 is taken for part 1
    true = {"labels": tf.constant(labels), "labels_valid": tf.ones([3])}
    scores = chained_evaluation.part_scores(true, {"logits": tf.one_hot(seen, 13)})
    f1 = 100 * np.array([1, (2 * 2 / 5 + 2 * 1 / 3) / 2, np.nan])
    iou = 100 * np.array([1, (2 / 3 + 1 / 2) / 2, np.nan])  # the last picture: nobody
    np.testing.assert_allclose(scores["f1_percent"], f1, rtol=1e-5)
    np.testing.assert_allclose(scores["iou_percent"], iou, rtol=1e-5)


def test_a_split_with_nobody_in_it_has_no_scores_and_no_nan():
    counts = np.zeros((2, 13, 13), np.float32)
    counts[0, 0, 0] = 9  # all background; the second has no labels
    evaluation = segmentation_evaluation.Evaluation(None, ["a", "b"], PARTS_12, counts)
    metrics = evaluation.metrics
    assert metrics["mean_iou_percent"] is None and metrics["mean_f1_percent"] is None
    assert metrics["mean_iou_with_background_percent"] == 100.0
    assert metrics["pixel_accuracy_percent"] == 100.0
    record = {"metrics": metrics, "iou_percent": {"background": 100.0, "head": None}}
    assert "–" in str(segmentation_evaluation.table(record))


def test_a_trained_segmenter_may_move_and_must_be_finished(segmented, tmp_path):
    segmenter = segmenters.load_segmenter(RunFolder(segmented))
    assert (segmenter.input_size, segmenter.width, segmenter.num_parts) == (32, 4, 12)
    moved = tmp_path / "moved"
    shutil.copytree(segmented, moved)
    again = segmenters.load_segmenter(RunFolder(moved))
    pictures = tf.random.stateless_uniform([1, 32, 32, 3], [1, 2], 0, 255)
    np.testing.assert_array_equal(again(pictures), segmenter(pictures))
    (moved / "model.keras").unlink()
    with pytest.raises(common.UserError, match="model.keras: not found; finish the training"):
        segmenters.load_segmenter(RunFolder(moved))
    assert networks.flags_of(RunFolder(moved)).stage == "segmentation"


@pytest.mark.slow
def test_a_run_may_start_from_the_weights_of_another_at_another_size(
    segmented, small, call, tmp_path
):
    arguments = (f"--initial_run={segmented}", "--input_size=16", f"--runs_dir={tmp_path}")
    answer = call(
        train_nbf, *small, *arguments, "--run_name=next", "--learning_rate=0", "--epochs=1"
    )
    assert answer.status == 0, answer.err
    before = segmenters.load_segmenter(RunFolder(segmented))
    after = segmenters.load_segmenter(RunFolder(tmp_path / "next"))
    for old, new in zip(before.trainable_variables, after.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)
    answer = call(train_nbf, *small, *arguments, "--segmenter_width=8", "--run_name=wide")
    assert answer.status == 1
    assert "does not fit this network" in answer.err and str(segmented) in answer.err
    answer = call(train_nbf, *small, "--initial_run=/nowhere", f"--runs_dir={tmp_path}")
    assert answer.status == 1 and "/nowhere: no run here" in answer.err
