"""Every command that the READMEs, the pages, the scripts' docstrings and the flag files show."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from neural_body_fitting.commands import COMMANDS

ROOT = Path(__file__).parents[1]
# What a command begins with, whatever its arguments are.
_PROGRAM = (
    r"(?:[\w./]*python (?:-m |experiments/)|pip |make |"
    rf"(?:{'|'.join(COMMANDS)})(?=[ `\n]))"
)
# A line of a shell block, an indented one of a docstring or a comment, or a `span` of the text.
_LINE = re.compile(rf"^(?:until )?({_PROGRAM}.*)$", re.MULTILINE)
_INDENTED_LINE = re.compile(rf"^#? {{3,}}({_PROGRAM}.*)$", re.MULTILINE)
_SPAN = re.compile(rf"`({_PROGRAM}[^`]*)`")
_FENCED = re.compile(r"^```(?:sh|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Command(NamedTuple):
    """One command.

    Attributes:
      line: the whole of it, without comment and loop; lines that a backslash continues are one.
      sources: the files that show it.
    """

    line: str
    sources: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        """As a shell takes it apart."""
        return shlex.split(self.line)

    @property
    def module(self) -> str | None:
        """What `python -m` starts."""
        return self.words[2] if self.words[1:2] == ["-m"] else None

    @property
    def script(self) -> str | None:
        """The script of experiments that it starts, by path, as a module or as nbf-..."""
        if self.words[0] in COMMANDS:
            return COMMANDS[self.words[0]]
        path = next((one for one in self.words[1:2] if one.endswith(".py")), "")
        name = self.module or path.removesuffix(".py").replace("/", ".")
        package, _, script = name.rpartition(".")
        return script if package.split(".")[-1] == "experiments" else None

    @property
    def arguments(self) -> list[str]:
        """What the program is given."""
        return self.words[1 if self.words[0] in COMMANDS else 3 if self.module else 2 :]


def commands() -> list[Command]:
    """Returns every command of the repository, each once."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", ":(glob)experiments/*.py", "experiments/flags/*.cfg"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found: dict[str, list[str]] = {}
    for name in listed:
        if name != "CHANGELOG.md":  # it says what was
            for line in _lines(name, (ROOT / name).read_text(encoding="utf-8")):
                found.setdefault(re.split(r" +# |; do ", line)[0].strip(), []).append(name)
    return [Command(line, tuple(sources)) for line, sources in sorted(found.items())]


def _lines(name: str, text: str) -> Iterator[str]:
    text = re.sub(r" *\\{1,2}\n[# ]*", " ", text)
    if name.endswith(".md"):
        for block in _FENCED.findall(text):
            yield from _LINE.findall(block)
        text = _FENCED.sub("", text)
        for span in _SPAN.findall(text):
            yield " ".join(span.split())
    yield from _INDENTED_LINE.findall(text)
