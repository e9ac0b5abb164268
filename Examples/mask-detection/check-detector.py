#!/usr/bin/env python3
"""Checks that detect.sh understands a detector given as an ONNX file, in both output forms.

It makes two small networks that answer with known boxes, whatever the image, and compares the report.

    check-detector.py IMAGE
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
# Centre x, y, width, height in the network's 320 x 320 input; scores of the classes `mask` and `no mask`. The second
# row overlaps the first and must go; the last is too weak.
ROWS = [
    (100, 80, 40, 60, 0.9, 0.05),
    (104, 82, 40, 60, 0.7, 0.05),
    (220, 120, 30, 30, 0.1, 0.8),
    (50, 50, 9, 9, 0.2, 0.1),
]


def network(path, answer):
    """A network that ignores its input and answers a constant."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 320, 320])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, list(answer.shape))],
        [numpy_helper.from_array(answer, "answer"), numpy_helper.from_array(np.zeros((), np.float32), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def finds(image, model, folder):
    environment = dict(
        os.environ,
        INPUT_FILE_PATH=image,
        TMP_OUTPUT_DIR=folder,
        DETECTOR_ONNX=model,
        DETECTOR_LABELS="mask, no mask",
        MASK_DETECTION_PYTHON=sys.executable,
    )
    subprocess.run(["/bin/sh", os.path.join(HERE, "detect.sh")], env=environment, check=True)
    with open(os.path.join(folder, os.path.splitext(os.path.basename(image))[0] + ".json"), encoding="utf-8") as file:
        return json.load(file)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rows = np.zeros((30, 6), np.float32)
    rows[: len(ROWS)] = ROWS
    version8 = rows.T[None].copy()
    version5 = np.insert(rows, 4, 1.0, axis=1)[None].copy()
    failed = 0
    for name, answer in (("yolov8", version8), ("yolov5", version5)):
        with tempfile.TemporaryDirectory() as folder:
            network(os.path.join(folder, "model.onnx"), answer)
            report = finds(sys.argv[1], os.path.join(folder, "model.onnx"), folder)
        scale = max(report["width"], report["height"]) / 320
        got = [(find["label"], find["score"], find["box"]) for find in report["objects"]]
        want = [
            ("mask", 0.9, [round(v * scale) for v in (80, 50, 40, 60)]),
            ("no mask", 0.8, [round(v * scale) for v in (205, 105, 30, 30)]),
        ]
        print(f"{'pass' if got == want else 'FAIL'} {name}: {got}")
        failed += got != want
    sys.exit(1 if failed else 0)


main()
