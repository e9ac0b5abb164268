"""The Python helper, driven as Apus drives it: a real process, pipes, signals."""

import ast
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from resident import HELPERS, PATIENCE, Resident

ECHO = "apus_function.serve(lambda call: call.text()%s)"
#: Each test that holds for both ways runs in both.
WAYS = {"inline": "", "fork": ", fork=True, concurrency=3"}


def each_way(test):
    def run(self):
        for name, options in WAYS.items():
            with self.subTest(way=name):
                with tempfile.TemporaryDirectory() as self.folder:
                    test(self, options)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


class HelperTests(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = self._folder.name
        self.addCleanup(self._folder.cleanup)

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def succeeds(self, answer, id, result):
        self.assertEqual(answer, {"id": id, "ok": True, "result": result})

    def fails(self, answer, id, reason):
        self.assertEqual(answer, {"id": id, "ok": False, "error": reason})

    # ---- What goes in and comes out

    @each_way
    def test_texts(self, options):
        with Resident.python(ECHO % options) as function:
            for number, text in enumerate(["", "plain", "é 漢字 🐄\n\t\"\\ \u2028 \x00", "x" * 3_000_000]):
                path = self.file("in", text.encode())
                function.call("a%d" % number, path)
                self.succeeds(function.answer(), "a%d" % number, text)
            function.call("none")
            self.succeeds(function.answer(), "none", "")
            self.assertEqual(function.close(), (0, []))

    @each_way
    def test_kinds_of_results(self, options):
        source = """
class Array:
    def tolist(self):
        return [1, 2]
class Word(str):
    pass
table = {"none": None, "dict": {"é": [1, None, True]}, "list": [1], "number": 1.5, "yes": True, "word": Word("w"),
    "array": {"a": Array()}, "set": {1}, "nan": float("nan"), "surrogate": "a\\ud800b"}
apus_function.serve(lambda call: table[call.event["kind"]]%s)
"""
        results = {
            "none": "", "dict": '{"é": [1, null, true]}', "list": "[1]", "number": "1.5", "yes": "true", "word": "w",
            "array": '{"a": [1, 2]}', "surrogate": "a?b",
        }
        errors = {
            "set": "TypeError: a set cannot be written as JSON",
            "nan": "ValueError: Out of range float values are not JSON compliant",
            "missing": "KeyError: 'missing'",
        }
        with Resident.python(source % options) as function:
            for kind in [*results, *errors]:
                function.call(kind, event={"kind": kind})
            answers = function.answers(len(results) + len(errors))
            for kind, result in results.items():
                self.succeeds(answers[kind], kind, result)
            for kind, reason in errors.items():
                self.assertFalse(answers[kind]["ok"])
                self.assertTrue(answers[kind]["error"].startswith(reason), answers[kind])
            function.close()
            self.assertIn("Traceback", function.log)

    @each_way
    def test_bytes_become_a_file(self, options):
        with Resident.python("apus_function.serve(lambda call: bytes(range(256))%s)" % options) as function:
            function.call("named", self.file("cow.png", b""), self.folder)
            self.assertIn("FileExistsError", function.answer()["error"])
            output = os.path.join(self.folder, "out")
            os.mkdir(output)
            function.call("named", self.file("cow.png", b""), output)
            self.succeeds(function.answer(), "named", "")
            function.call("unnamed", None, output)
            self.succeeds(function.answer(), "unnamed", "")
            self.assertEqual(sorted(os.listdir(output)), ["cow.png", "result"])
            for name in os.listdir(output):
                with open(os.path.join(output, name), "rb") as file:
                    self.assertEqual(file.read(), bytes(range(256)))

    @each_way
    def test_what_a_call_has(self, options):
        source = "apus_function.serve(lambda c: [c.id, c.input, c.output_dir, c.event, c.bytes().hex(), repr(c)]%s)"
        path = self.file("in", b"\xff\x00")
        with Resident.python(source % options) as function:
            function.call("i", path, "/o", {"Records": [{"a": "ü"}]})
            shown = "Call(id='i', input=%r, output_dir='/o')" % path
            self.assertEqual(
                json.loads(function.answer()["result"]), ["i", path, "/o", {"Records": [{"a": "ü"}]}, "ff00", shown]
            )
            function.write(b'{"id":"bare"}\n')
            self.assertEqual(json.loads(function.answer()["result"])[:5], ["bare", None, None, None, ""])

    @each_way
    def test_failures_say_why(self, options):
        source = """
class Odd(Exception):
    def __str__(self):
        return ""
def handle(call):
    exec(call.event["do"])
apus_function.serve(handle%s)
"""
        table = {
            "raise ValueError('no cow: é\\nat all')": "ValueError: no cow: é\nat all",
            "raise Odd()": "Odd",
            "1/0": "ZeroDivisionError: division by zero",
            "sys.exit(3)": "exit status 3",
            "sys.exit()": "exit status 0",
            "sys.exit('bye')": "exit status 1",
            "open('/nonexistent')": "FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent'",
        }
        with Resident.python(source % options) as function:
            for number, (do, reason) in enumerate(table.items()):
                function.call(str(number), event={"do": do})
                self.fails(function.answer(), str(number), reason)
            self.assertEqual(function.close(), (0, []))
            self.assertIn("bye", function.log)
            self.assertIn("no cow", function.log)

    # ---- Hostile and broken input

    @each_way
    def test_lines_that_are_no_calls(self, options):
        lines = [
            b"", b"   ", b"hello", b"{", b"[]", b"null", b"5", b'"x"', b"{}", b'{"id":5}', b'{"id":null,"input":"x"}',
            b'\xff\xfe{"id":"x"}', b"[" * 100_000, b'{"id":"x"', b'{"batch":[]}', b'{"id":"b","batch":[]}',
            b'{"id":"b","batch":[1,null,{"id":[]}]}', b"\x00" * 1000, b"9" * 5000,
        ]
        with Resident.python(ECHO % options) as function:
            for line in lines:
                function.write(line + b"\n")
            function.call("good")
            self.succeeds(function.answer(), "good", "")
            self.assertEqual(function.close(), (0, []))
            self.assertIn("this is no call", function.log)
            self.assertLess(len(function.log), 20_000)

    @each_way
    def test_calls_that_are_wrong_are_answered(self, options):
        with Resident.python(ECHO % options) as function:
            function.write(b'{"id":"a","input":5}\n{"id":"b","output_dir":{}}\n')
            self.fails(function.answer(), "a", "the call's input is no path")
            self.fails(function.answer(), "b", "the call's output_dir is no path")
            function.write(b'{"id":"c","batch":[{"id":"d","input":[]},{"id":"e"}]}\n')
            answers = function.answers(2)
            self.fails(answers["d"], "d", "the call's input is no path")
            self.succeeds(answers["e"], "e", "")

    @each_way
    def test_ids_come_back_as_they_were(self, options):
        ids = ["", " ", "é", "\ud800", '"\\\n', "x" * 100_000]
        with Resident.python(ECHO % options) as function:
            for id in ids:
                function.call(id)
                self.succeeds(function.answer(), id, "")

    @each_way
    def test_huge_lines_in_small_pieces(self, options):
        with Resident.python("apus_function.serve(lambda call: len(call.event['x'])%s)" % options) as function:
            size = 20_000_000
            function.write(b'{"id":"huge","event":{"x":"')
            for _ in range(size // 1000):
                function.write(b"x" * 1000)
            function.write(b'"}}\n{"id":"next","event":{"x":""}}\n')
            answers = function.answers(2)
            self.succeeds(answers["huge"], "huge", str(size))
            self.succeeds(answers["next"], "next", "0")

    @each_way
    def test_a_last_line_without_its_end(self, options):
        with Resident.python(ECHO % options) as function:
            function.write(b'{"id":"last"}')
            code, rest = function.close()
            self.assertEqual((code, [json.loads(line) for line in rest]), (0, [{"id": "last", "ok": True, "result": ""}]))

    # ---- Standard streams

    @each_way
    def test_what_is_printed_is_no_answer(self, options):
        source = """
print("before, without an end", end="")
early = sys.stdout
def handle(call):
    print("printed")
    early.write("written early\\n"); early.flush()
    os.system("echo from a shell")
    os.write(1, b"to the descriptor\\n")
    sys.stdout.buffer.write(b"to the buffer\\n"); sys.stdout.flush()
    print('{"id":"a","ok":true,"result":"forged"}')
    return "answer"
apus_function.serve(handle%s)
"""
        with Resident.python(source % options) as function:
            self.assertEqual(function.line(), b"before, without an end\n")
            for id in ("a", "b"):
                function.call(id)
                self.succeeds(function.answer(), id, "answer")
            self.assertEqual(function.close(), (0, []))
            for words in ("printed", "written early", "from a shell", "to the descriptor", "to the buffer", "forged"):
                self.assertEqual(function.log.count(words), 2, words)

    @each_way
    def test_nobody_else_reads_the_calls(self, options):
        source = """
import subprocess
def handle(call):
    return [sys.stdin.read(), subprocess.run(["cat"], stdout=subprocess.PIPE).stdout.decode(), os.read(0, 10).decode()]
apus_function.serve(handle%s)
"""
        with Resident.python(source % options) as function:
            for number in range(5):
                function.call(str(number))
            answers = function.answers(5)
            self.assertEqual({answer["result"] for answer in answers.values()}, {'["", "", ""]'})

    @each_way
    def test_the_end_of_input_ends(self, options):
        with Resident.python("def handle(call): time.sleep(0.1); return 'x'\napus_function.serve(handle%s)\nprint('after')" % options) as function:
            for number in range(7):
                function.call(str(number))
            code, rest = function.close()
            self.assertEqual((code, len(rest)), (0, 7))
            self.assertIn("after", function.log)

    @each_way
    def test_a_reader_that_goes_away(self, options):
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", "import apus_function\n" + ECHO % options],
            stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(HELPERS)},
        )
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        _, log = process.communicate(b'{"id":"a"}\n' * 10, timeout=PATIENCE)
        self.assertEqual((process.returncode, log), (0, b""))

    @each_way
    def test_a_slow_reader_gets_everything(self, options):
        with Resident.python("apus_function.serve(lambda call: call.id * 1000000%s)" % options) as function:
            for number in range(10):
                function.call(str(number))
            answers = function.answers(10)
            self.assertEqual([len(answers[str(number)]["result"]) for number in range(10)], [1_000_000] * 10)

    # ---- Many

    def test_ten_thousand_calls(self):
        with Resident.python(ECHO % "") as function:
            path = self.file("in", b"moo")
            writer = threading.Thread(target=lambda: [function.call(str(number), path) for number in range(10_000)])
            writer.start()
            for number in range(10_000):
                self.succeeds(function.answer(), str(number), "moo")
            writer.join()
            self.assertEqual(function.close(), (0, []))

    def test_a_thousand_children(self):
        with Resident.python("apus_function.serve(lambda call: os.getpid(), fork=True, concurrency=4)") as function:
            writer = threading.Thread(target=lambda: [function.call(str(number)) for number in range(1000)])
            writer.start()
            answers = function.answers(1000)
            writer.join()
            pids = {answer["result"] for answer in answers.values()}
            self.assertGreater(len(pids), 900)
            self.assertNotIn(str(function.process.pid), pids)
            # No child and no descriptor is left.
            function.call("last")
            function.answer()
            self.wait_for_no_children(function.process.pid)
            self.assertLess(len(os.listdir("/proc/%d/fd" % function.process.pid)), 12)
            self.assertEqual(function.close(), (0, []))

    def wait_for_no_children(self, pid):
        deadline = time.monotonic() + PATIENCE
        while self.children(pid):
            self.assertLess(time.monotonic(), deadline, "children are left")
            time.sleep(0.01)

    @staticmethod
    def children(pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]

    # ---- Children

    def test_state_stays_in_the_child(self):
        source = "count = 0\ndef handle(call):\n  global count\n  count += 1\n  return count\napus_function.serve(handle%s)"
        for options, expected in ((WAYS["inline"], ["1", "2", "3"]), (WAYS["fork"], ["1", "1", "1"])):
            with Resident.python(source % options) as function:
                results = []
                for number in range(3):
                    function.call(str(number))
                    results.append(function.answer()["result"])
                self.assertEqual(results, expected)

    def test_ends_of_children(self):
        source = "def handle(call):\n  exec(call.event['do'])\n  return 'well'\napus_function.serve(handle, fork=True, concurrency=2)"
        table = {
            "os.kill(os.getpid(), signal.SIGSEGV)": "signal 11",
            "os.kill(os.getpid(), signal.SIGKILL)": "signal 9",
            "import ctypes; ctypes.string_at(0)": "signal 11",
            "os.abort()": "signal 6",
            "os._exit(3)": "exit status 3",
            "os._exit(0)": "exit status 0",
            "os.closerange(3, 100)": "exit status 1",
        }
        with Resident.python(source) as function:
            for number, (do, reason) in enumerate(table.items()):
                function.call(str(number), event={"do": do})
                self.fails(function.answer(), str(number), reason)
            function.call("after", event={"do": ""})
            self.succeeds(function.answer(), "after", "well")
            self.assertEqual(function.close(), (0, []))

    def test_kill_from_outside(self):
        with Resident.python("def handle(call): time.sleep(1000)\napus_function.serve(handle, fork=True)") as function:
            function.call("a")
            deadline = time.monotonic() + PATIENCE
            while not self.children(function.process.pid):
                self.assertLess(time.monotonic(), deadline)
            os.kill(self.children(function.process.pid)[0], signal.SIGKILL)
            self.fails(function.answer(), "a", "signal 9")

    def test_time_out(self):
        source = """
def handle(call):
    if call.id == "slow":
        os.system("sleep 1000 & echo $! >%s/pid")
        time.sleep(1000)
    return "fast"
apus_function.serve(handle, fork=True, concurrency=2, timeout=0.5)
"""
        with Resident.python(source % self.folder) as function:
            function.call("slow")
            function.call("fast")
            answers = function.answers(2)
            self.succeeds(answers["fast"], "fast", "fast")
            self.fails(answers["slow"], "slow", "it took longer than 0.5 s")
            # What the child had started is ended with it.
            with open(os.path.join(self.folder, "pid")) as file:
                pid = int(file.read())
            deadline = time.monotonic() + PATIENCE
            while self.is_alive(pid):
                self.assertLess(time.monotonic(), deadline, "a process of the child is left")
                time.sleep(0.01)

    @staticmethod
    def is_alive(pid):
        try:
            with open("/proc/%d/stat" % pid) as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def test_grandchildren_that_hold_the_pipe(self):
        source = """
def handle(call):
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)
    if call.id == "crash":
        os._exit(7)
    return "done"
apus_function.serve(handle, fork=True, concurrency=1)
"""
        with Resident.python(source) as function:
            function.call("a")
            self.succeeds(function.answer(), "a", "done")
            function.call("crash")
            self.fails(function.answer(), "crash", "exit status 7")
            function.call("b")
            self.succeeds(function.answer(), "b", "done")
            self.assertEqual(function.close(), (0, []))

    def test_no_more_children_than_allowed(self):
        source = """
def handle(call):
    time.sleep(0.05)
    with open("/proc/%d/task/%d/children" % (os.getppid(), os.getppid())) as file:
        return len(file.read().split())
apus_function.serve(handle, fork=True, concurrency=3)
"""
        with Resident.python(source) as function:
            for number in range(20):
                function.call(str(number))
            counts = [int(answer["result"]) for answer in function.answers(20).values()]
            self.assertEqual(max(counts), 3)

    def test_programs_with_children_of_their_own(self):
        """Ours must not take the ends of processes that are not ours."""
        source = """
import subprocess
own = subprocess.Popen(["sh", "-c", "read line; exit 5"], stdin=subprocess.PIPE)
def handle(call):
    return subprocess.run(["sh", "-c", "exit 4"]).returncode
apus_function.serve(handle, fork=True)
own.stdin.close()
sys.stderr.write("own ended with %d" % own.wait())
"""
        with Resident.python(source) as function:
            function.call("a")
            self.succeeds(function.answer(), "a", "4")
            self.assertEqual(function.close()[0], 0)
            self.assertIn("own ended with", function.log)
            self.assertNotIn("own ended with -", function.log)

    def test_large_memory_is_shared(self):
        """A program with much memory still answers, and its children see it."""
        source = "big = bytearray(b'x' * (100 << 20))\napus_function.serve(lambda call: len(big) + big[-1], fork=True)"
        with Resident.python(source) as function:
            for number in range(10):
                function.call(str(number))
            answers = function.answers(10)
            self.assertEqual({answer["result"] for answer in answers.values()}, {str((100 << 20) + ord("x"))})
            self.assertEqual(function.close(), (0, []))

    @unittest.skipIf(os.sysconf("SC_PAGE_SIZE") != 4096, "large pages have another size here")
    def test_only_full_memory_is_put_into_large_pages(self):
        """Memory that is reserved and not used must not be filled; a kernel that cannot do it is asked once."""
        source = """
import mmap
def count():
    return len(apus_function._LargePages().slices)
reserved = mmap.mmap(-1, 100 << 20, flags=mmap.MAP_PRIVATE)
assert count() == 0, count()
try:
    reserved.madvise(mmap.MADV_NOHUGEPAGE)
except (AttributeError, OSError):
    pass  # Here the kernel itself may fill whole large pages.
else:
    for place in range(0, 100 << 20, 1 << 20):
        reserved[place] = 1
assert count() == 0, count()
full = mmap.mmap(-1, 100 << 20, flags=mmap.MAP_PRIVATE)
for place in range(0, 100 << 20, 4096):
    full[place] = 1
# What lies beside it may be full too.
assert 48 <= count() <= 60, count()
pages = apus_function._LargePages()
pages._advise = lambda *_: 0
before = len(pages.slices)
pages.make_some()
assert len(pages.slices) == before - 1
pages._advise, pages._error = lambda *_: -1, lambda: apus_function.errno.ENOMEM
pages.make_some()
assert len(pages.slices) == before - 2
pages._error = lambda: apus_function.errno.EINVAL
pages.make_some()
assert pages.slices == []
pages.make_some()
"""
        with Resident.python(source) as function:
            self.assertEqual(function.close(), (0, []), function.log)

    # ---- Signals

    @each_way
    def test_sigterm_while_nothing_is_to_do(self, options):
        with Resident.python(ECHO % options + "\nprint('after')") as function:
            function.call("a")
            function.answer()
            function.process.send_signal(signal.SIGTERM)
            self.assertEqual(function.process.wait(timeout=PATIENCE), 0)
            self.assertEqual(function.close(), (0, []))
            self.assertIn("after", function.log)

    @each_way
    def test_sigterm_in_a_call(self, options):
        """The call is ended and answered; what was not begun is not, so that it can go elsewhere."""
        source = """
def handle(call):
    os.kill(%%s, signal.SIGTERM)
    time.sleep(0.2)
    return "ended"
apus_function.serve(handle%s)
""" % options.replace("3", "1")
        with Resident.python(source % ("os.getppid()" if options else "os.getpid()")) as function:
            function.write(b'{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n')
            self.succeeds(function.answer(), "a", "ended")
            self.assertEqual(function.process.wait(timeout=PATIENCE), 0)
            self.assertEqual(function.close(), (0, []))

    def test_sigterm_to_all_processes(self):
        source = "def handle(call):\n  os.killpg(0, 0)\n  print('ready')\n  time.sleep(0.3)\n  return 'ended'\napus_function.serve(handle, fork=True)"
        with Resident.python(source) as function:
            function.call("a")
            deadline = time.monotonic() + PATIENCE
            while "ready" not in function.log:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.005)
            for pid in [function.process.pid, *self.children(function.process.pid)]:
                os.kill(pid, signal.SIGTERM)
            self.succeeds(function.answer(), "a", "ended")
            self.assertEqual(function.close(), (0, []))

    def test_programs_in_a_child_can_be_terminated(self):
        source = """
import subprocess
def handle(call):
    child = subprocess.Popen(["sleep", "1000"])
    child.terminate()
    return child.wait()
apus_function.serve(handle, fork=True)
"""
        with Resident.python(source) as function:
            function.call("a")
            self.succeeds(function.answer(), "a", "-15")

    # ---- Batches

    def test_batches_one_by_one(self):
        for options in WAYS.values():
            with Resident.python("apus_function.serve(lambda call: call.event['n'] * 2%s)" % options) as function:
                self.batch(function, range(16))
                answers = function.answers(16)
                self.assertEqual([answers[str(n)]["result"] for n in range(16)], [str(n * 2) for n in range(16)])

    def test_batches_together(self):
        source = """
def handle(calls):
    print("batch of %%d" %% len(calls))
    return [call.event["n"] if call.event["n"] != 3 else KeyError(3) for call in calls]
apus_function.serve_batch(handle%s)
"""
        for options in WAYS.values():
            with Resident.python(source % options) as function:
                self.batch(function, range(5))
                answers = function.answers(5)
                self.fails(answers.pop("3"), "3", "KeyError: 3")
                self.assertEqual([answer["result"] for answer in answers.values()], ["0", "1", "2", "4"])
                function.call("alone", event={"n": 7})
                self.succeeds(function.answer(), "alone", "7")
                self.assertEqual(function.close(), (0, []))
                self.assertEqual(function.log.count("batch of 5"), 1)
                self.assertEqual(function.log.count("batch of 1"), 1)

    def test_batches_that_fail(self):
        table = {
            "raise ValueError('all')": "ValueError: all",
            "return calls[1:]": "ValueError: 2 results for 3 calls",
            "return None": "TypeError: 'NoneType' object is not iterable",
            "sys.exit(2)": "exit status 2",
        }
        for options in WAYS.values():
            for body, reason in table.items():
                source = "def handle(calls):\n  %s\napus_function.serve_batch(handle%s)" % (body, options)
                with Resident.python(source) as function:
                    self.batch(function, range(3))
                    for id, answer in function.answers(3).items():
                        self.fails(answer, id, reason)

    def test_a_crash_after_some_answers_of_a_batch(self):
        source = """
class Last:
    def tolist(self):
        os._exit(9)
apus_function.serve_batch(lambda calls: ["x" * 100000 if call.event["n"] < 2 else Last() for call in calls], fork=True)
"""
        with Resident.python(source) as function:
            self.batch(function, range(4))
            answers = function.answers(4)
            self.assertEqual([answers[str(n)]["ok"] for n in range(4)], [True, True, False, False])
            self.fails(answers["3"], "3", "exit status 9")

    @staticmethod
    def batch(function, numbers):
        calls = [{"id": str(n), "input": None, "output_dir": "/tmp", "event": {"n": n}} for n in numbers]
        function.write(json.dumps({"id": "batch", "batch": calls}).encode() + b"\n")

    # ---- The module itself

    def test_arguments_are_checked(self):
        for arguments in ("concurrency=2", "timeout=1", "fork=True, concurrency=0", "fork=True, timeout=-1"):
            with Resident.python("apus_function.serve(None, %s)" % arguments) as function:
                self.assertEqual(function.close(), (1, []))
                self.assertIn("ValueError: concurrency and timeout", function.log)

    @unittest.skipIf(sys.version_info < (3, 8), "this Python says itself whether it can read it")
    def test_is_python_3_7(self):
        ast.parse((HELPERS / "apus_function.py").read_text(), feature_version=(3, 7))


if __name__ == "__main__":
    unittest.main()
