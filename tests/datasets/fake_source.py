"""A source of tiny Examples with bad items among them, for the tests of conversions."""

import dataclasses
import json
from pathlib import Path

from datasets.bodies import MissingBodyError
from datasets.sources import BadItemError, Inventory, Skip
from tests.datasets.tiny import numbered_example

NUM_ITEMS = 23


@dataclasses.dataclass(frozen=True)
class NumberedSource:
    """Item i gives i % 4 Examples; item 0 none, 5 is bad, 9 damaged, 7 lacks two frames.

    Attributes:
      root: folder of a file `stop_at`, the number of the read that is interrupted.
    """

    root: str
    split: str = "train"
    official: int | None = NUM_ITEMS
    needs_body: bool = False

    dataset = "numbered"
    bodies = None
    genders = ()

    def config(self):
        return {"needs_body": self.needs_body}

    def inventory(self):
        return Inventory(NUM_ITEMS, self.official, "numbers")

    def items(self):
        return list(range(NUM_ITEMS))

    def read(self, item):
        self._perhaps_interrupt()
        if self.needs_body:
            raise MissingBodyError("the female body is needed")
        if item == 5:
            raise BadItemError("is five")
        for index in range(item % 4):
            yield numbered_example(100 * item + index)
            if item == 9:
                json.loads("{")
        if item == 7:
            yield Skip("no person is visible")
            yield Skip("no person is visible")

    def _perhaps_interrupt(self):
        path = Path(self.root) / "stop_at"
        if path.exists():
            left = int(path.read_text())
            path.write_text(str(left - 1))
            if left == 0:
                raise KeyboardInterrupt
