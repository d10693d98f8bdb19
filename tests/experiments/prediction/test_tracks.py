from experiments.prediction import tracks
from nbf.prediction.windows import Window


def walking(start, speed, frames):
    return [Window(start + speed * frame, 0, 100) for frame in range(frames)]


def test_two_people_who_walk_are_two_tracks_in_whatever_order_they_come():
    left, right = walking(0, 10, 6), walking(400, -10, 6)
    frames = [
        [a, b] if i % 2 else [b, a] for i, (a, b) in enumerate(zip(left, right, strict=True))
    ]
    found = tracks.link(frames)
    assert [[frames[i][place] for i, place in sorted(t.items())] for t in found] == [right, left]


def test_a_person_is_found_again_after_a_short_gap_and_is_new_after_a_long_one():
    here = [Window(0, 0, 100)]
    assert len(tracks.link([here, [], [], here])) == 1
    assert len(tracks.link([here, *[[]] * 40, here])) == 2


def test_somebody_elsewhere_is_somebody_else():
    assert tracks.link([[Window(0, 0, 100)], [Window(90, 0, 100)]]) == [{0: 0}, {1: 0}]


def test_overlap():
    square = Window(10, 20, 30)
    assert tracks.overlap(square, square) == 1
    assert tracks.overlap(square, Window(40, 20, 30)) == 0
    assert tracks.overlap(Window(0, 0, 2), Window(1, 0, 2)) == 2 / 6


def test_nobody():
    assert tracks.link([[], []]) == []


def test_outliers_and_gaps_of_a_steady_walk_are_filled():
    true = walking(0, 10, 30)
    seen = list(true)
    seen[12], seen[20] = Window(0, 0, 9), None
    steady = tracks.steadied(seen)
    assert steady[4:8] == true[4:8]
    for frame in (12, 20):
        assert abs(steady[frame].left - true[frame].left) <= 10
        assert steady[frame].side == 100


def test_nobody_for_long_stays_nobody():
    here = Window(0, 0, 100)
    assert tracks.steadied([here, *[None] * 20]) == [here] * 5 + [None] * 16
