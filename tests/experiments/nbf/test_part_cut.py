"""People whose parts are cut in different ways are not mixed."""

import pytest

from datasets.manifests import Manifest
from datasets.splits import Split
from experiments.nbf.data import Feed, check_part_cut
from experiments.runs.common import UserError


def split(folder, **config):
    return Split(folder, "train", Manifest("set", "train", 1, 1, {}, config))


def test_two_cuts_are_refused_where_parts_are_needed():
    older, newer = split("synthetic"), split("up3d", part_cut="nbf")
    with pytest.raises(UserError, match="synthetic are cut as 'bones', those of up3d as 'nbf'"):
        check_part_cut(Feed(("parts/encoded",), None), [older, newer])
    check_part_cut(Feed(("parts/encoded",), None), [newer, newer])
    check_part_cut(Feed(("image/encoded",), None), [older, newer])
