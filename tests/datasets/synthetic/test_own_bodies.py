"""Synthetic people of bodies that the user has: which genders, what is known, what is refused."""

import numpy as np
import pytest

from datasets import records, synthetic
from datasets.bodies import Bodies, MissingBodyError
from datasets.example import GENDERS
from datasets.synthetic import people
from smpl_tf import SMPL, load_model_data
from smpl_tf.model_data import save_model_data
from tests.small_body import small_body


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Gender -> the file of a small random body; and one of another mesh."""
    folder = tmp_path_factory.mktemp("bodies")
    bodies = {
        gender: small_body(gender=gender, seed=seed)
        for seed, gender in enumerate(("neutral", "female", "male"))
    }
    bodies["other"] = small_body(num_vertices=240, gender="male")
    for name, body in bodies.items():
        save_model_data(body, folder / f"{name}.h5")
    return {name: str(folder / f"{name}.h5") for name in bodies}


def config(**bodies):
    return synthetic.SyntheticConfig(seed=2, image_size=32, bodies=Bodies(**bodies))


def test_people_have_the_one_body_that_is_given(files):
    examples = list(synthetic.read_examples(config(neutral=files["neutral"]), "train", 0, 4))
    layer = SMPL(load_model_data(files["neutral"]))
    for example in examples:
        assert GENDERS[example["smpl/gender"]] == "neutral"
        np.testing.assert_array_equal(example["smpl/neutral_betas"], example["smpl/betas"])
        body = layer(
            betas=example["smpl/betas"],
            pose=example["smpl/pose"],
            translation=example["smpl/translation"],
        )
        np.testing.assert_allclose(body.joints, example["joints/3d"], atol=1e-4)
        # This body does not name SMPLR's vertices.
        assert not example["landmarks/3d/valid"].any()


def test_without_a_neutral_body_the_neutral_betas_are_unknown(files):
    both = config(female=files["female"], male=files["male"])
    examples = list(synthetic.read_examples(both, "train", 0, 16))
    assert {GENDERS[one["smpl/gender"]] for one in examples} == {"female", "male"}
    assert not any(one["smpl/neutral_betas/valid"] for one in examples)
    with_neutral = config(**{gender: files[gender] for gender in GENDERS})
    others = list(synthetic.read_examples(with_neutral, "train", 0, 16))
    for one, other in zip(examples, others, strict=True):
        np.testing.assert_array_equal(one["smpl/betas"], other["smpl/betas"])
        assert other["smpl/neutral_betas/valid"] and other["smpl/neutral_betas"].any()


def test_one_gender_alone(files):
    assert people.genders_of(Bodies(male="a")) == ("male",)
    examples = synthetic.read_examples(config(male=files["male"]), "train", 0, 4)
    assert {GENDERS[one["smpl/gender"]] for one in examples} == {"male"}


def test_the_split_belongs_to_its_bodies(files, tmp_path):
    def generate(**bodies):
        return synthetic.generate(
            str(tmp_path), "train", 4, config(**bodies), workers=0, progress=False
        )

    manifest = generate(neutral=files["neutral"])
    fingerprint = load_model_data(files["neutral"]).fingerprint
    assert manifest.bodies == {"neutral": fingerprint}
    assert "bodies" not in manifest.config  # paths differ between machines
    assert generate(neutral=files["neutral"]) == manifest
    with pytest.raises(records.RecordError, match="bodies"):
        generate(male=files["male"])


def test_bodies_that_do_not_go_together_are_refused(files, tmp_path):
    with pytest.raises(ValueError, match="open body or your own files, not both"):
        config(female=files["female"], male="open")
    with pytest.raises(MissingBodyError, match="synthetic people need a body"):
        config()
    with pytest.raises(ValueError, match="different meshes.*'female': 200, 'male': 240"):
        synthetic.generate(
            *(str(tmp_path), "train", 4, config(female=files["female"], male=files["other"])),
            workers=0,
            progress=False,
        )
    assert not list(tmp_path.iterdir())
