"""The examples of docs/functions.md, each driven as Apus drives it; skipped where their language is not there."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from resident import PATIENCE, ROOT, Resident

EXAMPLES = ROOT / "Examples" / "functions"
PAGE = ROOT / "docs" / "functions.md"


def needs(*programs):
    missing = [program for program in programs if shutil.which(program) is None]
    return unittest.skipIf(missing, "%s not found" % " and ".join(missing))


class ResidentExamples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def shouts(self, *command, unicode=True, batch=False):
        text = "moo \"said\" the\tcow\\, 'twice'\nand" + (" the kühe 🐄" if unicode else "")
        path = os.path.join(self.folder, "an input; with $(odd) \"name\"")
        with open(path, "w") as file:
            file.write(text)
        with Resident(command, folder=self.folder) as function:
            for number in range(5):
                function.call("job-%d" % number, path, self.folder, {"Records": [{"eventName": "x"}]})
            answers = function.answers(5)
            for number in range(5):
                self.assertEqual(answers["job-%d" % number]["result"], text.upper())
                self.assertIs(answers["job-%d" % number]["ok"], True)
            function.call("none")
            answer = function.answer()
            self.assertEqual((answer["id"], answer["ok"], answer["result"]), ("none", True, ""))
            function.call("missing", os.path.join(self.folder, "missing"), self.folder)
            answer = function.answer()
            self.assertEqual((answer["id"], answer["ok"]), ("missing", False))
            self.assertTrue(answer["error"])
            if batch:
                calls = [{"id": str(n), "input": path, "output_dir": self.folder, "event": None} for n in range(16)]
                function.write(json.dumps({"id": "b", "batch": calls}).encode() + b"\n")
                self.assertEqual({answer["result"] for answer in function.answers(16).values()}, {text.upper()})
            else:
                function.call("last", path, self.folder)
                self.assertEqual(function.answer()["result"], text.upper())
            self.assertEqual(function.close(), (0, []), function.log)

    def test_python(self):
        self.shouts(sys.executable, str(EXAMPLES / "shout.py"), batch=True)

    def test_python_for_batches(self):
        self.shouts(sys.executable, str(EXAMPLES / "shout_batch.py"), batch=True)

    def test_python_without_helper(self):
        self.shouts(sys.executable, str(EXAMPLES / "shout_plain.py"))

    @needs("python3")
    def test_python_in_the_script(self):
        self.shouts("/bin/sh", str(EXAMPLES / "resident.sh"), batch=True)

    @needs("node")
    def test_node(self):
        self.shouts("node", str(EXAMPLES / "shout.mjs"))

    @needs("jq")
    def test_shell(self):
        self.shouts("/bin/sh", str(EXAMPLES / "shout.sh"), unicode=False)

    @needs("swiftc")
    def test_swift(self):
        program = os.path.join(self.folder, "shout")
        subprocess.run(["swiftc", str(EXAMPLES / "shout.swift"), "-o", program], check=True, timeout=300)
        self.shouts(program)


class OtherModes(unittest.TestCase):
    def test_script(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("moo\n")
            file.flush()
            shown = subprocess.run(
                ["/bin/sh", str(EXAMPLES / "script.sh")], env={**os.environ, "INPUT_FILE_PATH": file.name},
                stdout=subprocess.PIPE, timeout=PATIENCE, check=True,
            )
        self.assertEqual(shown.stdout, b"MOO\n")

    @needs("python3")
    def test_server(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        process = subprocess.Popen(
            ["/bin/sh", str(EXAMPLES / "server.sh")], env={**os.environ, "PORT": str(port)}, stderr=subprocess.DEVNULL
        )
        try:
            address = "http://127.0.0.1:%d/" % port
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    self.assertEqual(urllib.request.urlopen(address, timeout=PATIENCE).read(), b"ok\n")
                    break
                except urllib.error.URLError:
                    self.assertIsNone(process.poll())
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.02)
            self.assertEqual(urllib.request.urlopen(address + "a", b"moo", timeout=PATIENCE).read(), b"MOO")
        finally:
            process.kill()
            process.wait()


class Page(unittest.TestCase):
    def test_examples_are_those_of_the_page(self):
        """Each example stands on the page, word by word, without its first line, which says what it is."""
        page = PAGE.read_text()
        blocks = re.findall(r"^```[a-z]*\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        for path in sorted(EXAMPLES.iterdir()):
            self.assertIn("Examples/functions/%s" % path.name, page, "%s is not named on the page" % path.name)
            if path.suffix == ".yaml":
                continue
            text = path.read_text().split("\n", 1)[1].lstrip("\n")
            self.assertIn(text, [block.lstrip("\n") for block in blocks], "%s is not on the page as it is" % path.name)


if __name__ == "__main__":
    unittest.main()
