"""A resident function that writes the SHA-256 of its input file to NAME.sha256; with --fork in a child for each call."""

import hashlib
import os
import sys

import apus_function


def digest(call):
    name = os.path.basename(call.input) + ".sha256"
    with open(os.path.join(call.output_dir, name), "w", encoding="ascii") as file:
        file.write(hashlib.sha256(call.bytes()).hexdigest())


apus_function.serve(digest, fork="--fork" in sys.argv)
