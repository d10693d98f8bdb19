"""Trained models by name, folder or file; the errors that users meet."""

import keras
import pytest

from nbf import FittingNetwork, SmallSegmenter
from nbf import pretrained as nbf_pretrained
from smpl_tf.saved_models import SHIPPED, ModelNotFoundError, find_model
from smplr import SMPLR, DenoisingAutoencoder
from smplr import pretrained as smplr_pretrained


@pytest.mark.parametrize("names", [nbf_pretrained.NAMES, smplr_pretrained.NAMES])
def test_every_name_has_its_network_and_its_card(names):
    for name, folder in names.items():
        assert find_model(name, names) == SHIPPED / folder / "model.keras"
        card = (SHIPPED / folder / "MODEL_CARD.md").read_text(encoding="utf-8")
        for heading in ("Trained on", "How well it does", "Limits", "Licence"):
            assert f"## {heading}" in card, f"{folder}: {heading}"


def test_a_name_a_folder_and_a_file_give_the_same_network():
    by_name = FittingNetwork.from_pretrained()
    folder = SHIPPED / nbf_pretrained.NAMES[nbf_pretrained.FITTING]
    for where in (folder, str(folder), folder / "model.keras"):
        assert FittingNetwork.from_pretrained(where).get_config() == by_name.get_config()


def test_a_missing_model_is_reported_with_the_names_there_are(tmp_path):
    with pytest.raises(ModelNotFoundError, match="small_synthetic_segmenter") as error:
        SmallSegmenter.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_another_kind_and_a_damaged_file_are_refused_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="expected a SMPLR, got a DenoisingAutoencoder"):
        SMPLR.from_pretrained(smplr_pretrained.AUTOENCODER)
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="not a saved DenoisingAutoencoder, or damaged") as error:
        DenoisingAutoencoder.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


def test_the_loaded_model_is_the_saved_one(tmp_path):
    segmenter = SmallSegmenter(num_parts=3, input_size=16, width=4)
    segmenter.save(tmp_path / "model.keras")
    loaded = SmallSegmenter.from_pretrained(tmp_path)
    pictures = keras.random.uniform([1, 16, 16, 3], 0, 255, seed=1)
    assert float(abs(loaded(pictures) - segmenter(pictures)).numpy().max()) == 0
