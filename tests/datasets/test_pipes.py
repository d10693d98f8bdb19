"""A pipe or folder in place of a file is refused at once, by every reader: nobody waits for it."""

import os
import signal

import pytest

from datasets import manifests, matlab, subsampling
from datasets.human36m import smpl_parameters
from datasets.motion.bvh import read_bvh
from datasets.photographs.joint_files import JointFile
from experiments.runs.run_folder import RunFolder
from nbf import torch_files
from smpl_tf import array_files, json_files, keras_files, load_model_data, motion_files

READERS = {
    "x.npz": array_files.read_npz,
    "x.npy": array_files.read_npy,
    "names.npz": array_files.names,
    "x.mat": matlab.load,
    "x.json": json_files.read,
    "people.npz": JointFile,
    "x.bvh": read_bvh,
    "mosh.pkl": smpl_parameters._read_mosh,
    "x.pth": torch_files.read,
    "x.keras": keras_files.check_weights,
    "body.pkl": load_model_data,
    "amass.npz": motion_files.read_motions,
    "frames.json": lambda path: subsampling.load(str(path)),
    "train.manifest.json": lambda path: manifests.read(str(path.parent), "train"),
    "flags.cfg": lambda path: RunFolder(path.parent).read_flags(),
}


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_not_waited_for(name, tmp_path):
    def waited(*_):
        raise AssertionError("it waits for the pipe")

    path = tmp_path / name
    os.mkfifo(path)
    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(10)
    try:
        with pytest.raises(Exception, match="not a file|a folder or device|no such") as caught:
            READERS[name](path)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert str(path) in str(caught.value)
