"""Packaging of nbf, smplr, smpl_tf, datasets and experiments."""

from pathlib import Path

from setuptools import find_packages, setup

# Each package stands here with its reason.
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
    "matplotlib>=3.8",  # plots beside the tables, scatter plots of evaluations
    "tensorboard>=2.18",  # scalars and pictures while training
]

EXTRAS_REQUIRE = {
    # Its last release (2021) resolves only where tensorflow-addons still has wheels; the tests
    # compare our geometry with it there, nothing on the main path needs it.
    "graphics": ["tensorflow-graphics>=2021.12.3; python_version < '3.12'"],
    # Conversions on a cluster; on one machine the process pool is faster, so it is no requirement.
    "beam": ["apache-beam>=2.60"],
    # Runs the landmark finder's networks where TensorFlow's own interpreter is gone.
    "photographs": ["ai-edge-litert>=1.2"],
    "build_body": [
        "scikit-image>=0.22",  # marching cubes of the open body's builder
    ],
    # Who the benchmark compares us with, and the tests agree with where they are installed.
    "bench": [
        "torch",  # smplx runs on it; any version will do, CPU alone too
        "smplx>=0.1.28",  # the reference layer of the field
        "smplfitter>=0.6",  # the fastest other TensorFlow body
    ],
    "test": [
        "pytest>=8",  # the test runner
        "pytest-xdist>=3.5",  # the suite on all cores
        "hypothesis>=6.100",  # laws over spaces of inputs
        "trimesh>=4",  # reads our mesh files back
        "ruff==0.17.5",  # lint and format, the one pinned version
        "mypy==2.4.1",  # types of the libraries; pinned, since each version finds other mistakes
    ],
}

setup(
    name="neural-body-fitting",
    version="0.1.0",
    description="3D human pose and shape in TensorFlow: NBF, SMPLR and an SMPL layer.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["nbf*", "smplr*", "smpl_tf*", "datasets*", "experiments*"]),
    package_data={
        **{package: ["py.typed"] for package in ("smpl_tf", "nbf", "smplr", "datasets")},
        "smpl_tf.open_body": ["*.npz"],
        "experiments": [
            *("flags/*.cfg", "pages/*.html"),
            *("pretrained/*/*", "pretrained/*/checkpoints/*"),
        ],
        "smpl_tf.viewer": ["*.html", "*.css", "*.js"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
)
