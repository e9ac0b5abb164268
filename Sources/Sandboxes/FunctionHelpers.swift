/// What lies in a sandbox to help programs of resident functions; made by scripts/embed-helpers.py from Helpers/.
///
/// Text in the program, not resources beside it: the program is one file.
package enum FunctionHelpers {
    /// The name under which Python finds its helper, in a folder that PYTHONPATH names.
    package static let pythonName = "apus_function.py"

    /// The helper for Python.
    package static let python = #"""
        """Serves the calls of a resident function of Apus (mode: resident): the model is loaded once, then

            import apus_function

            model = load()

            def handle(call):
                return model(call.text())

            apus_function.serve(handle)

        `serve(handle, fork=True)` runs each call in a copy of this process, so that a crash or a leak ends with the call.
        `serve_batch(handle_many)` takes the calls of a batch together. Python 3.7 or newer on Linux, nothing to install.
        """

        import collections
        import errno
        import gc
        import json
        import os
        import select
        import signal
        import sys
        import time
        import traceback

        __all__ = ["Call", "serve", "serve_batch"]

        # As much as a pipe holds.
        _CHUNK = 65536


        class Call:
            """One invocation."""

            __slots__ = ("id", "input", "output_dir", "event")

            def __init__(self, id, input=None, output_dir=None, event=None):
                #: What Apus calls it.
                self.id = id
                #: The path of the input file; None where there is none.
                self.input = input
                #: Files that are written here are results, as those of a script in TMP_OUTPUT_DIR.
                self.output_dir = output_dir
                #: The event that caused it, a dict; None where there is none.
                self.event = event

            def bytes(self):
                """The content of the input; nothing where there is none."""
                if self.input is None:
                    return b""
                # Four system calls for a small file, where a file object of Python needs eight.
                descriptor = os.open(self.input, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    parts = [os.read(descriptor, _CHUNK)]
                    while parts[-1]:
                        parts.append(os.read(descriptor, _CHUNK))
                finally:
                    os.close(descriptor)
                return b"".join(parts)

            def text(self):
                """The content of the input as text; what is not UTF-8 becomes U+FFFD."""
                return self.bytes().decode("utf-8", "replace")

            def __repr__(self):
                return "Call(id=%r, input=%r, output_dir=%r)" % (self.id, self.input, self.output_dir)


        def serve(handle, fork=False, concurrency=None, timeout=None):
            """Answers calls with what `handle(call)` returns, until standard input ends or SIGTERM comes.

            A str is the answer as it is; bytes become a file in the output directory, named as the input (`result` where there
            is none); None is an empty answer; anything else is written as JSON. An exception fails the call, and its traceback
            goes to the log.

            fork: each call in a copy-on-write child of this process. What the child loads, leaks or breaks ends with it; a
                child that crashes fails its own call, as "signal 11" or "exit status 3".
            concurrency: with fork, at most so many children at once; default: as many as there are processors.
            timeout: with fork, a child is killed after so many seconds, and its call fails.
            """

            def work(calls):
                for call in calls:
                    yield _answer(call, handle)

            _serve(work, False, fork, concurrency, timeout)


        def serve_batch(handle_many, fork=False, concurrency=None, timeout=None):
            """As `serve`, for a function that takes the list of the calls of a batch and returns the list of their results.

            A result that is an exception fails its call only; one that is raised fails all of them. Calls that come alone are
            lists of one.
            """

            def work(calls):
                try:
                    results = list(handle_many(calls))
                    if len(results) != len(calls):
                        raise ValueError("%d results for %d calls" % (len(results), len(calls)))
                except (Exception, SystemExit) as error:
                    reason = _reason(error)
                    for call in calls:
                        yield _failure(call.id, reason)
                    return
                for call, result in zip(calls, results):
                    yield _answer(call, _given(result))

            _serve(work, True, fork, concurrency, timeout)


        def _serve(work, together, fork, concurrency, timeout):
            if not fork and (concurrency is not None or timeout is not None):
                raise ValueError("concurrency and timeout go only with fork=True")
            if concurrency is not None and concurrency < 1 or timeout is not None and timeout <= 0:
                raise ValueError("concurrency and timeout must be above 0")
            wire = _Wire(together)
            try:
                if fork:
                    _Forks(wire, work, concurrency or len(os.sched_getaffinity(0)), timeout).run()
                else:
                    _serve_here(wire, work)
            except BrokenPipeError:
                pass  # Nobody is left who waits for an answer.
            finally:
                wire.close()


        def _serve_here(wire, work):
            while True:
                groups = wire.read()
                if groups is None:
                    return
                for calls in groups:
                    for line in work(calls):
                        wire.write(line)
                    if wire.stopped:
                        return  # What was read and not begun stays unanswered: Apus gives it to another instance.


        # ---- Answers


        # An id goes back exactly as it came; texts stay UTF-8, which is shorter.
        _quote_id = json.encoder.encode_basestring_ascii
        _quote = json.encoder.encode_basestring


        def _success(id, text):
            return ('{"id":%s,"ok":true,"result":%s}\n' % (_quote_id(id), _quote(text))).encode("utf-8", "replace")


        def _failure(id, reason):
            return ('{"id":%s,"ok":false,"error":%s}\n' % (_quote_id(id), _quote(reason))).encode("utf-8", "replace")


        def _answer(call, handle):
            try:
                result = handle(call)
                return _success(call.id, result if isinstance(result, str) else _text(call, result))
            except (Exception, SystemExit) as error:
                return _failure(call.id, _reason(error))


        def _text(call, result):
            if result is None:
                return ""
            if isinstance(result, (bytes, bytearray, memoryview)):
                name = os.path.basename(call.input or "") or "result"
                with open(os.path.join(call.output_dir, name), "xb") as file:
                    file.write(result)
                return ""
            return json.dumps(result, ensure_ascii=False, allow_nan=False, default=_plain)


        def _plain(value):
            """Numbers and arrays of numerical libraries as Python's own."""
            if hasattr(value, "tolist"):
                return value.tolist()
            raise TypeError("a %s cannot be written as JSON" % type(value).__name__)


        def _given(result):
            def handle(call):
                if isinstance(result, Exception):
                    raise result
                return result

            return handle


        def _reason(error):
            """What the caller is told of a failure; the log gets all of it."""
            if isinstance(error, SystemExit):
                code = error.code
                if code is not None and not isinstance(code, int):
                    print(code, file=sys.stderr, flush=True)
                    code = 1
                return "exit status %d" % (code or 0)
            traceback.print_exception(type(error), error, error.__traceback__)
            text = str(error)
            return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__


        # ---- Calls


        def _log(text):
            print("apus_function: " + text, file=sys.stderr, flush=True)


        def _call(value):
            """The call that an object means; an answer, as bytes, where it is wrong but has an id; else None."""
            if not isinstance(value, dict) or not isinstance(value.get("id"), str):
                _log("this is no call, it needs an id: %.200r" % (value,))
                return None
            path, folder = value.get("input"), value.get("output_dir")
            if path is not None and not isinstance(path, str):
                return _failure(value["id"], "the call's input is no path")
            if folder is not None and not isinstance(folder, str):
                return _failure(value["id"], "the call's output_dir is no path")
            return Call(value["id"], path, folder, value.get("event"))


        class _Wire:
            """Calls come in by what was standard input, answers go out by what was standard output.

            Both are taken away from the rest of the program: whatever prints, in Python or not, prints into the log.
            """

            def __init__(self, together):
                self.together = together
                self.stopped = False
                self.ended = False
                self._parts = []
                sys.stdout.flush()
                self.input, self.output = os.dup(0), os.dup(1)
                null = os.open(os.devnull, os.O_RDONLY)
                os.dup2(null, 0)
                os.close(null)
                os.dup2(2, 1)
                sys.stdout = sys.stderr
                self.alarm, self._alarm_end = os.pipe()
                os.set_blocking(self.alarm, False)
                os.set_blocking(self._alarm_end, False)
                signal.signal(signal.SIGTERM, self._stop)
                signal.set_wakeup_fd(self._alarm_end)
                self._poll = select.poll()
                self._poll.register(self.input, select.POLLIN)
                self._poll.register(self.alarm, select.POLLIN)
                # What was printed before without an end of line must not stand before an answer.
                self.write(b"\n")

            def close(self):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                for descriptor in (self.input, self.output, self.alarm, self._alarm_end):
                    os.close(descriptor)

            def _stop(self, number, frame):
                self.stopped = True

            def clear_alarm(self):
                try:
                    os.read(self.alarm, _CHUNK)
                except BlockingIOError:
                    pass

            def write(self, line):
                _write(self.output, line)

            def read(self):
                """Waits for calls: a list of lists, each to be worked on together. None when no more come."""
                # Waiting in poll and not in read: a signal that comes just before would not be seen in read.
                while not self.stopped:
                    groups = self.take() if self.input in dict(self._poll.poll()) else self.clear_alarm()
                    if groups or self.ended:
                        return groups or None
                return None

            def take(self):
                """The calls that are there; `ended` says whether more may come."""
                try:
                    data = os.read(self.input, _CHUNK)
                except BlockingIOError:
                    return []
                head, end, tail = data.rpartition(b"\n")
                if not data:
                    self.ended = True
                    head, end = tail, b"\n"
                if not end:
                    self._parts.append(tail)
                    return []
                if self._parts:
                    self._parts.append(head)
                    head = b"".join(self._parts)
                self._parts = [tail] if tail else []
                return [calls for line in head.split(b"\n") if line.strip() for calls in self._groups(line)]

            def _groups(self, line):
                """The calls of one line; what is none is answered or logged."""
                try:
                    value = json.loads(line.decode("utf-8"))
                except (ValueError, RecursionError) as error:
                    _log("this is no call (%s): %.200r" % (error, line))
                    return []
                batch = value.get("batch") if isinstance(value, dict) else None
                calls = []
                for member in batch if isinstance(batch, list) else [value]:
                    call = _call(member)
                    if isinstance(call, Call):
                        calls.append(call)
                    elif call is not None:
                        self.write(call)
                return ([calls] if calls else []) if self.together else [[call] for call in calls]


        def _write(descriptor, data):
            """Writes all of it; answers of one process are never mixed, since only one thread comes here."""
            while data:
                try:
                    written = os.write(descriptor, data)
                except BlockingIOError:
                    poll = select.poll()
                    poll.register(descriptor, select.POLLOUT)
                    poll.poll()
                    continue
                if written == len(data):
                    return
                data = memoryview(data)[written:]


        # ---- A child for each call


        class _Child:
            __slots__ = ("pid", "pipe", "calls", "answered", "parts", "deadline", "is_late")

            def __init__(self, pid, pipe, calls, deadline):
                self.pid, self.pipe, self.calls, self.deadline = pid, pipe, calls, deadline
                #: Children answer in the order of their calls.
                self.answered = 0
                self.parts = []
                self.is_late = False


        class _Forks:
            """Keeps the children: starts them, hands on their answers, answers for those that cannot any more."""

            def __init__(self, wire, work, concurrency, timeout):
                self.wire, self.work, self.concurrency, self.timeout = wire, work, concurrency, timeout
                self.waiting = collections.deque()
                self.children = {}
                self.poll = select.poll()
                self.poll.register(wire.alarm, select.POLLIN)
                self.is_reading = False
                self.has_started = False
                self.pages = None

            def run(self):
                previous = signal.signal(signal.SIGCHLD, lambda number, frame: None)
                # What is there now stays shared: the collector of a child would write to all of it.
                gc.collect()
                gc.freeze()
                self.pages = _LargePages()
                try:
                    while self.turn():
                        pass
                finally:
                    for child in list(self.children.values()):
                        self.kill(child)
                        os.waitpid(child.pid, 0)
                    signal.signal(signal.SIGCHLD, previous or signal.SIG_DFL)
                    gc.unfreeze()

            def turn(self):
                """Starts what can start, then waits for something to happen; False when all is done."""
                wire = self.wire
                while self.waiting and len(self.children) < self.concurrency and not wire.stopped:
                    self.start(self.waiting.popleft())
                if not self.children and (wire.stopped or wire.ended and not self.waiting):
                    return False
                self.listen(not (wire.stopped or wire.ended or self.waiting or len(self.children) >= self.concurrency))
                events = self.poll.poll(self.pause())
                if not events and not self.children:
                    self.pages.make_some()
                for descriptor, _ in events:
                    if descriptor == wire.input:
                        self.waiting.extend(wire.take())
                    elif descriptor == wire.alarm:
                        wire.clear_alarm()
                        self.reap()
                    else:
                        child = self.children.get(descriptor)
                        if child is not None:
                            self.relay(child)
                self.kill_late()
                return True

            def listen(self, wanted):
                if wanted == self.is_reading:
                    return
                self.is_reading = wanted
                if wanted:
                    self.poll.register(self.wire.input, select.POLLIN)
                else:
                    self.poll.unregister(self.wire.input)

            def start(self, calls):
                sys.stderr.flush()
                if self.has_started:
                    self.pages.make_some()
                self.has_started = True
                pipe, answers = os.pipe()
                try:
                    pid = os.fork()
                except OSError as error:
                    os.close(pipe)
                    os.close(answers)
                    for call in calls:
                        self.wire.write(_failure(call.id, "no process could be started: %s" % error))
                    return
                if pid == 0:
                    os.close(pipe)
                    self.be_child(calls, answers)
                os.close(answers)
                os.set_blocking(pipe, False)
                deadline = None if self.timeout is None else time.monotonic() + self.timeout
                self.children[pipe] = _Child(pid, pipe, calls, deadline)
                self.poll.register(pipe, select.POLLIN)

            def be_child(self, calls, answers):
                code = 1
                try:
                    # A group of its own, so that whatever it starts ends with it.
                    os.setpgid(0, 0)
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    # SIGTERM goes to all processes: the parent takes no more calls then, and children end theirs.
                    signal.signal(signal.SIGTERM, lambda number, frame: None)
                    for descriptor in (self.wire.input, self.wire.output, *self.children):
                        os.close(descriptor)
                    for line in self.work(calls):
                        _write(answers, line)
                    code = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    try:
                        sys.stderr.flush()
                    finally:
                        os._exit(code)

            def pause(self):
                """In milliseconds, how long to wait for something to happen; None for as long as it takes."""
                if self.pages.slices and not self.children and not self.waiting:
                    # Nothing is to do; and pauses, so that a small share of a processor is not used up when a call comes.
                    return 20
                deadlines = [child.deadline for child in self.children.values() if child.deadline and not child.is_late]
                if not deadlines:
                    return None
                return max(0, min(deadlines) - time.monotonic()) * 1000 + 1

            def relay(self, child):
                """Hands on the whole lines that a child has written. What it wrote of a line when it crashed is dropped."""
                while True:
                    try:
                        data = os.read(child.pipe, _CHUNK)
                    except BlockingIOError:
                        return
                    if not data:
                        # It may go on without its pipe; SIGCHLD tells of its end.
                        if child.pipe in self.children:
                            self.poll.unregister(child.pipe)
                        return
                    head, end, tail = data.rpartition(b"\n")
                    if end:
                        child.parts.append(head + end)
                        whole = b"".join(child.parts)
                        child.parts = []
                        child.answered += whole.count(b"\n")
                        self.wire.write(whole)
                    if tail:
                        child.parts.append(tail)

            def reap(self):
                for child in list(self.children.values()):
                    try:
                        # Not taken yet, so that its number cannot be another group's when the rest of the group is ended.
                        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                            continue
                        self.kill(child)
                        reason = self.ending(child, os.waitpid(child.pid, 0)[1])
                    except ChildProcessError:
                        # Something else in this program has waited for it.
                        reason = "it ended without an answer"
                    self.drain(child)
                    for call in child.calls[child.answered :]:
                        self.wire.write(_failure(call.id, reason))

            def ending(self, child, status):
                if child.is_late:
                    return "it took longer than %g s" % self.timeout
                if os.WIFSIGNALED(status):
                    return "signal %d" % os.WTERMSIG(status)
                return "exit status %d" % os.WEXITSTATUS(status)

            def drain(self, child):
                """Takes what an ended child has still written, and lets go of it."""
                del self.children[child.pipe]
                try:
                    self.relay(child)
                    self.poll.unregister(child.pipe)
                except KeyError:
                    pass  # It was read to the end before.
                finally:
                    os.close(child.pipe)

            def kill(self, child):
                for target, number in ((os.killpg, child.pid), (os.kill, child.pid)):
                    try:
                        target(number, signal.SIGKILL)
                    except OSError as error:
                        # It has ended, or has no group of its own yet.
                        if error.errno not in (errno.ESRCH, errno.EPERM):
                            raise

            def kill_late(self):
                if self.timeout is None:
                    return
                now = time.monotonic()
                for child in self.children.values():
                    if not child.is_late and child.deadline <= now:
                        child.is_late = True
                        self.kill(child)


        # ---- Memory


        class _LargePages:
            """Puts what is loaded into pages of 2 MiB, as far as the kernel can (Linux 6.1): a fork copies one entry for each
            page, so that with a model of 200 MiB it takes a tenth of the time.

            That takes some milliseconds a page, so it is done page by page: before each fork but the first, and while nothing is
            to do.
            """

            SIZE = 2 << 20
            SMALL = 4096
            COLLAPSE = 25  # MADV_COLLAPSE

            def __init__(self):
                self.slices = []
                try:
                    import ctypes

                    self._advise = ctypes.CDLL(None, use_errno=True).madvise
                    self._advise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
                    self._error = ctypes.get_errno
                    if os.sysconf("SC_PAGE_SIZE") == self.SMALL:
                        self.slices = self._loaded()
                except (ImportError, AttributeError, OSError, ValueError):
                    pass  # It works without, only slower.

            def _loaded(self):
                """The addresses of large pages, nearly all of which are memory of this process alone."""
                found = []
                pages = os.open("/proc/self/pagemap", os.O_RDONLY)
                try:
                    with open("/proc/self/maps") as maps:
                        for line in maps:
                            place, access, _, _, inode = line.split()[:5]
                            if access != "rw-p" or inode != "0":
                                continue
                            first, last = (int(text, 16) for text in place.split("-"))
                            start = -(-first // self.SIZE) * self.SIZE
                            for address in range(start, last - self.SIZE + 1, self.SIZE):
                                entries = os.pread(pages, self.SIZE // self.SMALL * 8, address // self.SMALL * 8)
                                # The topmost bit of each: the page is there. Elsewhere memory would be filled for nothing.
                                if sum(1 for flags in entries[7::8] if flags & 0x80) > 460:
                                    found.append(address)
                finally:
                    os.close(pages)
                return found if len(found) > 16 else []

            def make_some(self):
                if not self.slices:
                    return
                if self._advise(self.slices.pop(), self.SIZE, self.COLLAPSE) and self._error() == errno.EINVAL:
                    self.slices = []  # A kernel that cannot do it.

        """#
}
