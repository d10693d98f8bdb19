"""What all tests share: each process computes with one thread, and collects garbage seldom."""

import gc
import os

# One worker of pytest-xdist per core: more threads would wait for each other, and those of
# TensorFlow wait by spinning. Read when it is loaded; processes that tests start have it too.
for _name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(_name, "1")


# A quarter of the time of all imports: a million objects are made, and none of them is garbage.
gc.disable()


def pytest_collection_finish(session):
    """Collects garbage from now on, but seldom, and never among what the imports have made.

    Tracing makes so many objects that Python would walk over all of them again and again.
    """
    del session
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
