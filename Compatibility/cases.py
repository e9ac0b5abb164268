"""Cases and their count: a suite is a module whose functions carry @case, run in the order in which they stand."""

import os
import time
import traceback


class Skip(Exception):
    """Raised by a case that cannot run here, with the reason."""


def case(title):
    """Marks a function of one argument, the context, as a case."""

    def mark(function):
        function.case_title = title
        return function

    return mark


def expect(condition, message):
    """Fails the case unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def equal(got, want, what="value"):
    """Fails the case unless both are equal; long values are cut in the message."""
    if got != want:
        raise AssertionError(f"{what}: got {short(got)}, want {short(want)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]}… ({len(text)} characters)"


def eventually(probe, what, seconds=30, pause=0.1):
    """Asks until the probe's answer is true, and returns it; fails the case when that takes too long."""
    end = time.monotonic() + seconds
    answer = None
    while time.monotonic() < end:
        answer = probe()
        if answer:
            return answer
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds} s (last answer: {short(answer)})")


class Count:
    """What passed, failed and was left out."""

    def __init__(self, verbose=False):
        self.passed, self.failed, self.skipped = 0, [], 0
        self.verbose = verbose

    def run(self, suite, context, only=None):
        """Runs the cases of a module."""
        functions = [value for value in vars(suite).values() if hasattr(value, "case_title")]
        name = suite.__name__.removesuffix("_suite")
        for function in functions:
            if only and only not in function.case_title:
                continue
            title = f"{name}: {function.case_title}"
            begin = time.monotonic()
            try:
                function(context)
            except Skip as reason:
                self.skipped += 1
                print(f"skip  {title} ({reason})", flush=True)
            except Exception as error:
                self.failed.append(title)
                print(f"FAIL  {title}\n      {type(error).__name__}: {error}", flush=True)
                if self.verbose or not isinstance(error, AssertionError):
                    print(indented(traceback.format_exc()), flush=True)
            else:
                self.passed += 1
                print(f"pass  {title} ({time.monotonic() - begin:.1f} s)", flush=True)


def indented(text):
    return "\n".join("        " + line for line in text.rstrip().split("\n")[-12:])


def random_bytes(size):
    """Content that no compression and no accident can hide."""
    return os.urandom(size)
