#!/usr/bin/env python3
"""Makes the input of the example: two videos.

vtest.avi  a real surveillance clip of people who walk by, from Debian's package opencv-doc;
faces.mp4  a camera that travels over photographs with faces: those of scikit-image (an astronaut, a photographer)
           and two of opencv-doc.

    make-input.py OUTPUT_DIRECTORY
"""

import importlib.util
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np

CLIPS = "/usr/share/doc/opencv-doc/examples/data"
WIDTH, HEIGHT, RATE, SECONDS = 960, 540, 10, 3


def photographs():
    """The photographs that are there, as BGR images."""
    places = []
    package = importlib.util.find_spec("skimage")
    if package:
        data = os.path.join(package.submodule_search_locations[0], "data")
        places += [os.path.join(data, name) for name in ("astronaut.png", "camera.png")]
    places += [os.path.join(CLIPS, name) for name in ("basketball1.png", "messi5.jpg")]
    images = [
        image for image in (cv2.imread(place) for place in places if os.path.exists(place)) if image is not None
    ]
    if not images:
        sys.exit("make-input: no photograph found; install requirements-input.txt (scikit-image) or opencv-doc")
    return images


def travel(image):
    """Frames of a camera that moves from the whole photograph towards its upper middle and a little aside."""
    scale = max(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    image = cv2.resize(image, None, fx=scale * 1.02, fy=scale * 1.02, interpolation=cv2.INTER_CUBIC)
    for step in range(RATE * SECONDS):
        part = step / (RATE * SECONDS - 1)
        width, height = int(WIDTH * (1 - 0.25 * part)), int(HEIGHT * (1 - 0.25 * part))
        x = int((image.shape[1] - width) * (0.5 + 0.15 * np.sin(part * np.pi)))
        y = int((image.shape[0] - height) * 0.15)
        window = image[y : y + height, x : x + width]
        yield cv2.resize(window, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def group(images):
    """A group picture: all photographs side by side, so that several faces are in one image."""
    tiles = [
        cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        for image in (square(image) for image in (images * 4)[:4])
    ]
    return np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])


def square(image):
    """The widest middle part of an image that has the tile's proportions."""
    height, width = image.shape[:2]
    wanted = WIDTH / HEIGHT
    if width / height > wanted:
        cut = int((width - height * wanted) / 2)
        return image[:, cut : width - cut]
    return image[: int(width / wanted), :]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = sys.argv[1]
    os.makedirs(target, exist_ok=True)
    clip = os.path.join(CLIPS, "vtest.avi")
    if not os.path.exists(clip):
        sys.exit(f"make-input: {clip} is not there; install Debian's package opencv-doc")
    shutil.copyfile(clip, os.path.join(target, "vtest.avi"))
    images = photographs()
    faces = os.path.join(target, "faces.mp4")
    encoder = subprocess.Popen(
        [
            "ffmpeg",
            "-hide_banner",
            "-loglevel",
            "error",
            "-nostdin",
            "-y",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "bgr24",
            "-s",
            f"{WIDTH}x{HEIGHT}",
            "-r",
            str(RATE),
            "-i",
            "pipe:0",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "20",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
            faces,
        ],
        stdin=subprocess.PIPE,
    )
    for image in images + [group(images)]:
        for frame in travel(image):
            encoder.stdin.write(np.ascontiguousarray(frame).tobytes())
    encoder.stdin.close()
    if encoder.wait() != 0:
        sys.exit("make-input: ffmpeg could not write faces.mp4")
    for name in ("vtest.avi", "faces.mp4"):
        print(f"{os.path.join(target, name)} {os.path.getsize(os.path.join(target, name))} bytes")


main()
