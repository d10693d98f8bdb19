"""The examples in the docstrings of the public face run, and what people call first has one."""

import doctest
import importlib

import pytest

PACKAGES = ("smpl_tf", "nbf", "smplr", "datasets")
# Where a reader looks first.
WITH_EXAMPLES = (
    ("smpl_tf", "SMPL"),
    ("nbf", "Predictor"),
    ("nbf", "FittingNetwork.from_pretrained"),
    ("nbf", "PartSegmenter.from_pretrained"),
    ("smplr", "SMPLR.from_pretrained"),
    ("smplr", "fit_points"),
    ("datasets", "write"),
)


def examples():
    """(package.name, doctest) of every public name's docstring that holds an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                names = {"__name__": "__main__", name: value}
                for test in finder.find(value, name, globs=names, module=False):
                    if test.examples:
                        yield f"{package}.{test.name}", test


FOUND = dict(examples())


@pytest.mark.parametrize("name", FOUND)
def test_the_example_runs(name):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    runner.run(FOUND[name], out=report.append)
    assert not runner.failures, "".join(report)


def test_what_people_call_first_has_an_example():
    missing = {f"{package}.{name}" for package, name in WITH_EXAMPLES} - FOUND.keys()
    assert not missing
