#!/usr/bin/env python3
"""Puts all images of a directory, in order of their names, on one sheet.

contact-sheet.py IMAGE_DIRECTORY SHEET.jpg [COLUMNS]
"""

import glob
import math
import os
import sys

import cv2
import numpy as np

TILE_WIDTH, TILE_HEIGHT, GAP = 384, 288, 6


def tile(path):
    """One image, scaled into a tile; a grey tile where it cannot be read."""
    frame = np.full((TILE_HEIGHT, TILE_WIDTH, 3), 40, np.uint8)
    image = cv2.imread(path)
    if image is None:
        return frame
    scale = min(TILE_WIDTH / image.shape[1], TILE_HEIGHT / image.shape[0])
    small = cv2.resize(
        image,
        (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))),
        interpolation=cv2.INTER_AREA,
    )
    top, left = (TILE_HEIGHT - small.shape[0]) // 2, (TILE_WIDTH - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "**", "*.jpg"), recursive=True))
    if not paths:
        sys.exit(f"contact-sheet: no *.jpg in {sys.argv[1]}")
    columns = int(sys.argv[3]) if len(sys.argv) == 4 else min(6, math.ceil(math.sqrt(len(paths))))
    rows = math.ceil(len(paths) / columns)
    sheet = np.full((rows * (TILE_HEIGHT + GAP) + GAP, columns * (TILE_WIDTH + GAP) + GAP, 3), 20, np.uint8)
    for index, path in enumerate(paths):
        top = GAP + index // columns * (TILE_HEIGHT + GAP)
        left = GAP + index % columns * (TILE_WIDTH + GAP)
        sheet[top : top + TILE_HEIGHT, left : left + TILE_WIDTH] = tile(path)
    if not cv2.imwrite(sys.argv[2], sheet, [cv2.IMWRITE_JPEG_QUALITY, 88]):
        sys.exit(f"contact-sheet: {sys.argv[2]} cannot be written")
    print(f"{sys.argv[2]}: {len(paths)} images")


main()
