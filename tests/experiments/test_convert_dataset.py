import pytest

from datasets import records
from experiments import convert_dataset


def test_a_split_is_made_and_can_be_made_again(people, call):
    before = {path: path.stat().st_mtime_ns for path in people.glob("*.tfrecord")}
    answer = call(
        convert_dataset,
        *("--dataset=synthetic", f"--output={people}", "--split=val", "--count=8"),
        *("--image_size=32", "--workers=0"),
    )
    assert answer.status == 0
    assert "8 Examples of split 'val' in 1 shards" in answer.out
    assert records.check(str(people), "val", checksums=True).count == 8
    assert {path: path.stat().st_mtime_ns for path in people.glob("*.tfrecord")} == before


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"dataset": "cocoa"}, 2, ["--dataset=cocoa", "synthetic"]),
        ({"dataset": None}, 2, ["--dataset is missing"]),
        ({"output": None}, 2, ["--output is missing"]),
        ({"count": 0}, 2, ["--count=0"]),
        ({"split": "a/b"}, 1, ["--split=a/b"]),
        ({"count": 9}, 1, ["val.manifest.json", "num_items"]),
    ],
)
def test_a_mistake_is_one_line(people, call, changed, status, words):
    values = {"dataset": "synthetic", "output": people, "split": "val", "count": 8}
    values |= {"image_size": 32, **changed}
    arguments = [f"--{name}={value}" for name, value in values.items() if value is not None]
    answer = call(convert_dataset, *arguments)
    assert answer.status == status
    assert answer.err.count("\n") == 1
    assert all(word in answer.err for word in words)
