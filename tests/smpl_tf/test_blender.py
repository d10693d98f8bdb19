"""Blender's own importers put our GLB and BVH files where the SMPL layer does.

Needs Blender as a Python package (pip install bpy, which wants the Python that it was built for):
in this environment, or in another one whose interpreter BPY_PYTHON names.
"""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from smpl_tf import SMPL, load_model_data, mesh_io
from smpl_tf.bvh import MIXAMO_NAMES, write_bvh
from smpl_tf.skeleton import SMPL_24

FRAMES = 5
PYTHON = os.environ.get("BPY_PYTHON", sys.executable)
IMPORTS = """
import sys
import bpy
import numpy as np

bvh, glb, frames, *names = sys.argv[1:]
frames = range(int(frames))
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_anim.bvh(filepath=bvh, axis_forward="-Z", axis_up="Y", global_scale=0.01)
armature = next(one for one in bpy.data.objects if one.type == "ARMATURE")
joints = []
for frame in frames:
    bpy.context.scene.frame_set(frame + 1)
    joints.append([armature.matrix_world @ armature.pose.bones[name].head for name in names])
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 30
bpy.ops.import_scene.gltf(filepath=glb)
body = bpy.data.objects["body"]
vertices = []
for frame in frames:
    bpy.context.scene.frame_set(frame)
    seen = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    vertices.append([seen.matrix_world @ vertex.co for vertex in seen.to_mesh().vertices])
np.savez("found.npz", joints=np.array(joints), vertices=np.array(vertices))
"""


@pytest.fixture(scope="module")
def motion():
    """A motion, and where the layer has its joints and its linear-blend-skinned vertices."""
    rng = np.random.default_rng(0)
    data = load_model_data()
    # glTF has no pose blend shapes.
    smpl = SMPL(dataclasses.replace(data, posedirs=np.zeros_like(data.posedirs)))
    betas = rng.normal(size=10)
    poses, moves = rng.normal(0, 0.3, (FRAMES, 24, 3)), rng.normal(0, 0.5, (FRAMES, 3))
    body = smpl(betas=np.tile(betas, (FRAMES, 1)), pose=poses, translation=moves)
    rest = smpl(betas=betas).joints.numpy()
    return data, betas, poses, moves, rest, body


@pytest.mark.slow
@pytest.mark.parametrize("names", ["smpl", "mixamo"])
def test_blender_agrees_to_a_millimetre(motion, tmp_path, names):
    if subprocess.run([PYTHON, "-c", "import bpy"], capture_output=True).returncode:
        pytest.skip("Blender (bpy) is not installed")
    data, betas, poses, moves, rest, body = motion
    glb, bvh = tmp_path / "a.glb", tmp_path / "a.bvh"
    mesh_io.write_animated_glb(glb, data, betas, poses, moves, frame_rate=30.0)
    pose_at_rest = "t_pose" if names == "mixamo" else "model"
    write_bvh(bvh, poses, moves, rest, 30.0, names=names, rest=pose_at_rest)
    called = SMPL_24.names
    if names == "mixamo":
        called = [f"mixamorig:{MIXAMO_NAMES[name]}" for name in called]
    command = [PYTHON, "-c", IMPORTS, str(bvh), str(glb), str(FRAMES), *called]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    with np.load(tmp_path / "found.npz") as found:
        for name, expected in (("joints", body.joints), ("vertices", body.vertices)):
            # Blender has z up: (x, y, z) of ours is (x, -z, y) there.
            there = expected.numpy()[..., [0, 2, 1]] * (1, -1, 1)
            np.testing.assert_allclose(found[name], there, atol=1e-3)
