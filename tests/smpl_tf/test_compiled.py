import numba

from smpl_tf import compiled


def test_without_a_folder_for_machine_code_functions_are_compiled(monkeypatch):
    njit = numba.njit

    def no_locator(function=None, *, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available for file")
        return njit(function, **options) if function else njit(**options)

    monkeypatch.setattr(numba, "njit", no_locator)
    assert compiled.njit(nogil=True)(lambda x: x + 1).py_func(1) == 2
