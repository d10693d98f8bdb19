"""Captured motion of any skeleton as motion of SMPL: BVH, ASF/AMC, AIST++, AMASS of SMPL-X."""
