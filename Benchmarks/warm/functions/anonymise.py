"""The example's stage `anonymise` as a resident function: its own code, with the network loaded once.

    anonymise.py SCRIPT           resident
    anonymise.py SCRIPT --load    loads what it needs, and prints how long that took from the interpreter's start
"""

import os
import sys
import time


def program(path):
    """The Python program that stands in the shell script, without the call that starts it."""
    with open(path, encoding="utf-8") as file:
        text = file.read().partition("<<'PYTHON'\n")[2].partition("\nPYTHON")[0]
    names = {"__name__": "anonymise"}
    exec(compile(text.rpartition("\nmain()")[0] + "\n", path, "exec"), names)
    return names


def main():
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = os.environ.get("CPU_THREADS") or "1"  # As the script does, and before NumPy is imported.
    names = program(sys.argv[1])
    faces = names["Faces"]()
    names["Faces"] = lambda: faces
    if "--load" in sys.argv:
        with open("/proc/self/stat", encoding="ascii") as stat:
            started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        print(time.clock_gettime(time.CLOCK_BOOTTIME) - started)
        return

    import apus_function

    def anonymise(call):
        os.environ["INPUT_FILE_PATH"], os.environ["TMP_OUTPUT_DIR"] = call.input, call.output_dir
        try:
            names["main"]()
        except SystemExit as error:
            raise RuntimeError(str(error)) from None

    apus_function.serve(anonymise)


main()
