"""The changes of `tests/mutants.py` can be made, and name tests that are there."""

import re
from collections import Counter

from tests import mutants


def test_every_change_can_be_made_and_has_a_test():
    assert len(mutants.MUTANTS) == len(Counter(mutants.MUTANTS)) == 62
    for one in mutants.MUTANTS:
        text = (mutants.REPOSITORY / one.file).read_text("utf-8")
        compile(mutants.changed(one, text), one.file, "exec")
        names = re.findall(r"def (test_\w+)", (mutants.REPOSITORY / one.tests).read_text("utf-8"))
        for words in one.chosen.split(" or "):
            assert any(words in name for name in names), one
