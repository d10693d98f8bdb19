"""Packaging of nbf, smplr, smpl_tf, datasets and experiments.

A wheel installs smpl_tf, nbf and smplr as they are, and datasets and experiments inside
neural_body_fitting: at the top of a site-packages folder those two names are other people's
(`datasets` is Hugging Face's). An editable install leaves everything where it is.
"""

import ast
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
OWN = "neural_body_fitting"
MOVED = ("datasets", "experiments")


def _constant(file: str, name: str):
    """The value that a module gives to a name, without importing it."""
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise LookupError(f"{file}: no {name}")


def moved_imports(source: str) -> str:
    """Rewrites what a module says of the packages that a wheel has under another name.

    Imports are absolute and one per line in this repository (tests/test_layers.py), so a line
    tells all; the commands in docstrings are rewritten too.
    """
    names = "|".join(MOVED)
    source = re.sub(rf"(?m)^( *)from ({names})(?=[. ])", rf"\1from {OWN}.\2", source)
    # In a checkout the scripts put the repository first on the path; here that would give others
    # our packages under their old names.
    source = re.sub(r"sys\.path\.insert\(0, .*\)", "pass", source)
    source = re.sub(rf"(?m)^( *)import ({names})$", rf"\1from {OWN} import \2", source)
    source = re.sub(rf"python -m ({names})\.", rf"python -m {OWN}.\1.", source)
    return re.sub(r"python experiments/(\w+)\.py", rf"python -m {OWN}.experiments.\1", source)


class BuildWheel(build_py):
    """Moves two packages under our own name, on the way into a wheel."""

    def run(self):
        """Builds, then moves."""
        super().run()
        if self.editable_mode:
            return
        built = Path(self.build_lib)
        for name in MOVED:
            shutil.rmtree(built / OWN / name, ignore_errors=True)
            shutil.move(built / name, built / OWN / name)
            for file in (built / OWN / name).rglob("*.py"):
                source = file.read_text(encoding="utf-8")
                file.write_text(moved_imports(source), encoding="utf-8")


# Each package is listed with the reason why it is needed.
INSTALL_REQUIRES = [
    "tensorflow>=2.18",  # models, training, tf.data
    # TensorFlow asks for any Keras 3. Below these, a .keras file from a stranger runs code despite
    # safe_mode (mended: CVE-2025-1550 in 3.9, CVE-2025-8747 and 9906 in 3.11, CVE-2025-49655 in
    # 3.11.3), and weights read other files (CVE-2026-12480 in 3.12.2 and 3.14.1) or claim any
    # memory (CVE-2026-0897; its bypass in 3.12.3). CVE-2026-1462 (TFSMLayer, 3.13.2) cannot be
    # reached where our own list of classes, smpl_tf/keras_files.py, is asked first.
    "keras>=3.12.3,!=3.13.*,!=3.14.0",
    "numpy>=1.26",  # arrays outside the graph
    "scipy>=1.12",  # sparse regressors, .mat files, optimisation, isotonic regression
    # opencv-python without its window system: that one needs libGL, which a machine without a
    # display often lacks.
    "opencv-python-headless>=4.9",  # pictures and videos
    "h5py>=3.10",  # body models and .mat v7.3 files
    "cdflib>=1.2",  # Human3.6M's captured points are NASA CDF files
    "pillow>=10.1",  # photographs turned by EXIF tags or truncated; VOC masks as palette indices
    "absl-py>=2.1",  # flags of the scripts
    "numba>=0.61",  # the z-buffer kernel: ten times NumPy's speed, no display, no driver
    "tqdm>=4.66",  # progress bars of long work outside Keras
    "jinja2>=3.1",  # the report page
    "matplotlib>=3.8",  # plots next to the tables, scatter plots of evaluations
    "tensorboard>=2.18",  # scalars and pictures while training
]

EXTRAS_REQUIRE = {
    # Its last release (2021) resolves only where tensorflow-addons still has wheels, but its
    # geometry needs no more than TensorFlow: the tests compare ours with it, and `make test`
    # installs it with --no-deps. Nothing on the main path needs it.
    "graphics": ["tensorflow-graphics>=2021.12.3; python_version < '3.12'"],
    # Conversions on a cluster; on one machine the process pool is faster, so it is no requirement.
    "beam": ["apache-beam>=2.60"],
    # WebDataset tars, an exchange format, in and out (datasets/web_tars.py).
    "webdataset": ["webdataset>=1.0"],
    # Runs the landmark finder's networks where TensorFlow's own interpreter is gone.
    "photographs": ["ai-edge-litert>=1.2"],
    "build_body": [
        "scikit-image>=0.22",  # marching cubes of the open body's builder
    ],
    # Other SMPL implementations, for benchmarks and cross-checks.
    "bench": [
        "torch",  # smplx runs on it; any version will do, CPU alone too
        "smplx>=0.1.28",  # the reference layer of the field
        "smplfitter>=0.6",  # the fastest other TensorFlow body
        "body-models>=0.26; python_version >= '3.11'",  # the fastest body in JAX
        "jax",  # body-models runs on it here
    ],
    # TensorFlow with NVIDIA's libraries, for a GPU under Linux.
    "gpu": ["tensorflow[and-cuda]>=2.18"],
    # export.py --format=onnx, and the parity check of what it writes.
    "onnx": [
        "tf2onnx>=1.17",  # the converter
        "onnx>=1.17",  # its file format
        "onnxruntime>=1.20",  # runs the file, to compare it with Keras
    ],
    # The site (make docs) and its notebooks.
    "docs": [
        "mkdocs-material>=9.6",  # the site
        "mkdocstrings[python]>=0.29",  # API pages from the docstrings
        "mkdocs-jupyter>=0.25",  # the notebooks as pages
        "nbclient>=0.10",  # runs the notebooks
        "ipykernel>=6.29",  # their kernel
    ],
    "test": [
        "pytest>=8",  # the test runner
        "pytest-xdist>=3.5",  # the suite on all cores
        "hypothesis>=6.100",  # laws over spaces of inputs
        "trimesh>=4",  # reads our mesh files back, and cuts the planes of measurements
        "ruff==0.17.5",  # lint and format, the one pinned version
        "mypy==2.4.1",  # types of the libraries; pinned, since each version finds other mistakes
    ],
}

setup(
    name="neural-body-fitting",
    version=_constant("smpl_tf/version.py", "__version__"),
    description="3D human pose and shape in TensorFlow: NBF, SMPLR and an SMPL layer.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(
        include=["nbf*", "smplr*", "smpl_tf*", "datasets*", "experiments*", f"{OWN}*"]
    ),
    package_data={
        **{package: ["py.typed"] for package in ("smpl_tf", "nbf", "smplr", "datasets", OWN)},
        "smpl_tf.open_body": ["*.npz"],
        "experiments": [
            *("flags/*.cfg", "pages/*.html"),
            *("pretrained/*/*", "pretrained/*/checkpoints/*"),
        ],
        "smpl_tf.viewer": ["*.html", "*.css", "*.js"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    cmdclass={"build_py": BuildWheel},
    entry_points={
        "console_scripts": [
            f"{command} = {OWN}.commands:{script}"
            for command, script in _constant(f"{OWN}/commands.py", "COMMANDS").items()
        ]
    },
)
