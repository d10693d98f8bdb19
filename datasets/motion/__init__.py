"""Converts captured motion of any skeleton to SMPL: BVH, ASF/AMC, AIST++, AMASS of SMPL-X."""
