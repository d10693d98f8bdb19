"""What other people's code may rely on: names and signatures, against a list of them.

A failure here is a change of the public face. If it is meant, write the list anew with
`python -m tests.test_public_face` and tell it in CHANGELOG.md.
"""

import difflib
import importlib
import inspect
from pathlib import Path

LIST = Path(__file__).with_name("public_face.txt")
MODULES = (
    "smpl_tf",
    "smpl_tf.rotations",
    "nbf",
    "smplr",
    "nbf.prediction",
    "datasets",
    "datasets.example",
    "datasets.pipelines",
)


def public_face() -> list[str]:
    """One line for each public name: its module, and its signature without annotations."""
    return [line for name in MODULES for line in _module_lines(importlib.import_module(name))]


def _module_lines(module):
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]
    for name in sorted(getattr(module, "__all__", own)):
        value = getattr(module, name)
        called = f"{module.__name__}.{name}"
        if inspect.isclass(value):
            yield from _class_lines(called, value)
        else:
            yield called + (_signature(value) if inspect.isfunction(value) else "")


def _class_lines(called, cls):
    yield called + ("" if issubclass(cls, Exception) else _signature(cls))
    for name, value in sorted(vars(cls).items()):
        if name.startswith("_") or name in getattr(cls, "_fields", ()):
            continue
        value = getattr(value, "__func__", value)  # of a class or static method
        if inspect.isfunction(value):
            yield f"{called}.{name}{_signature(value)}"
        elif hasattr(value, "__get__"):
            yield f"{called}.{name}"


def _signature(called):
    signature = inspect.signature(called)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_shown(parameter.default))
        for parameter in signature.parameters.values()
    ]
    bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return str(bare)


class _Some:
    """Stands for a default that prints otherwise in every process, or at length."""

    def __repr__(self):
        return "<default>"


def _shown(default):
    simple = default is None or isinstance(default, (bool, int, float, str, tuple))
    return default if simple or default is inspect.Parameter.empty else _Some()


def test_public_face_is_the_listed_one():
    listed, found = LIST.read_text(encoding="utf-8").splitlines(), public_face()
    changes = "\n".join(difflib.unified_diff(listed, found, "listed", "found", lineterm="", n=0))
    assert not changes, f"{__doc__}\n{changes}"


def test_a_changed_signature_is_a_change(monkeypatch):
    import smpl_tf

    monkeypatch.setattr(smpl_tf, "load_model_data", lambda file, gender="neutral": None)
    assert "smpl_tf.load_model_data(path=None, gender='neutral')" not in public_face()
    monkeypatch.setattr(smpl_tf, "__all__", ["SMPL"])
    assert not any(line.startswith("smpl_tf.MixedGenderSMPL") for line in public_face())


if __name__ == "__main__":
    LIST.write_text("\n".join(public_face()) + "\n", encoding="utf-8")
