#!/usr/bin/env python3
"""Writes Sources/Sandboxes/FunctionHelpers.swift: the helpers of Helpers/, which the program carries with it.

Edit the helper, then run this; scripts/check-house.py says where that was forgotten.
"""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
HELPER = ROOT / "Helpers" / "python" / "apus_function.py"
TARGET = ROOT / "Sources" / "Sandboxes" / "FunctionHelpers.swift"

HEAD = '''\
/// What lies in a sandbox to help programs of resident functions; made by scripts/embed-helpers.py from Helpers/.
///
/// Text in the program, not resources beside it: the program is one file.
package enum FunctionHelpers {
    /// The name under which Python finds its helper, in a folder that PYTHONPATH names.
    package static let pythonName = "apus_function.py"

    /// The helper for Python.
    package static let python = #"""
'''
TAIL = '''        """#
}
'''


def embedded():
    """The Swift file as it must be."""
    text = HELPER.read_text()
    if '"""#' in text or "\\#" in text or not text.endswith("\n"):
        raise SystemExit(f"{HELPER.name} must end with a line feed and have neither \"\"\"# nor \\# in it")
    # The last line feed is the string's, not the one before its end.
    lines = ["        " + line if line else "" for line in (text + "\n").split("\n")[:-1]]
    return HEAD + "\n".join(lines) + "\n" + TAIL


if __name__ == "__main__":
    TARGET.write_text(embedded())
