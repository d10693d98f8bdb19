import numpy as np

from experiments.nbf import page as nbf_report
from experiments.nbf.evaluation import Evaluation
from experiments.pages import report


def chained(f1, errors, difficulty):
    count = len(f1)
    return Evaluation(
        split=None,
        ids=[str(i) for i in range(count)],
        errors={"f1_percent": np.array(f1), "err_joints3d_mm": np.array(errors)},
        baseline={"err_joints3d_mm": np.array(difficulty)},
        betas=np.zeros((count, 10)),
        global_rotations=np.zeros((count, 24, 3, 3)),
    )


def test_figure_3_sets_each_persons_fit_against_its_parts():
    evaluation = chained([90.0, 70.0, np.nan, 80.0], [30.0, 90.0, 10.0, 50.0], [100.0] * 4)
    plot = nbf_report.quality_plot(evaluation)
    assert plot.rank_correlation == -1.0
    np.testing.assert_array_equal(plot.colour.values, [100.0] * 4)


def test_people_are_ranked_by_what_is_known_of_them():
    known = chained([1.0], [30.0], [100.0])
    assert known.ranking == "err_joints3d_mm"
    unknown = chained([1.0], [np.nan], [np.nan])
    assert unknown.ranking == "pckh_percent"
    unknown.errors["measured_pa_mpjpe_mm"] = np.array([20.0])
    assert unknown.ranking == "measured_pa_mpjpe_mm"
    # What nobody has labels for is no metric, rather than NaN.
    assert known.metrics == {"err_joints3d_mm": 30.0}
    assert chained([1.0], [np.nan], [np.nan]).metrics == {}


def test_the_figures_of_a_page_come_out_as_pixels():
    pixels = np.full((32, 32, 3), 200, np.uint8)
    person = report.Person("one", [report.picture("a", pixels, lossless=True)] * 2)
    page = report.Page("", "", groups=[report.Group("Best quarter", [person])])
    assert nbf_report.pictures_of(report.Page("", "")) == {}
    assert list(nbf_report.pictures_of(page)) == ["figure_4.png"]
    plot = report.picture("plot", pixels // 2, lossless=True)
    found = nbf_report.pictures_of(page._replace(plots=[plot]))
    np.testing.assert_array_equal(found["figure_3.png"], pixels // 2)
    sheet = found["figure_4.png"]
    assert (sheet == 200).all(-1).sum() == 2 * 32 * 32
