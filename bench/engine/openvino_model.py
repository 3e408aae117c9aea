"""Writes an OpenVINO model directory of a GGUF's weights, compressed as OpenVINO does by default.

    openvino_model.py F16.gguf int8_asym|int8_sym|int4_sym_128|int4_sym_32 OUT_DIRECTORY

OpenVINO GenAI reads the GGUF (F16, so that nothing is rounded twice), NNCF compresses the matrices: int8 with a scale
a channel; int4 with a scale for each group of 128 or 32, its embedding and output matrix in int8.
"""
import pathlib
import shutil
import sys

import nncf
import openvino
import openvino_genai

MODES = {
    "int8_asym": {"mode": nncf.CompressWeightsMode.INT8_ASYM},
    "int8_sym": {"mode": nncf.CompressWeightsMode.INT8_SYM},
    "int4_sym_128": {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": 128, "ratio": 1.0},
    "int4_sym_32": {"mode": nncf.CompressWeightsMode.INT4_SYM, "group_size": 32, "ratio": 1.0},
}


def read_gguf(path, directory):
    """GenAI writes the graph beside the GGUF: a link in a directory of its own keeps it apart."""
    if (directory / "openvino_detokenizer.xml").exists():
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    link = directory / "model.gguf"
    link.symlink_to(path.resolve())
    openvino_genai.LLMPipeline(str(link), "CPU", enable_save_ov_model=True)


def main():
    if len(sys.argv) != 4 or sys.argv[2] not in MODES:
        sys.exit(__doc__)
    gguf, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[3])
    exact = out.parent / gguf.stem
    read_gguf(gguf, exact)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model = openvino.Core().read_model(exact / "openvino_model.xml")
    openvino.save_model(nncf.compress_weights(model, **MODES[sys.argv[2]]), part / "openvino_model.xml",
                        compress_to_fp16=False)
    for file in exact.glob("openvino_*tokenizer.*"):
        shutil.copy(file, part)
    part.rename(out)


if __name__ == "__main__":
    main()
