"""Files through functions: many small ones, and those of a real model."""

import glob
import hashlib
import os
import shutil
import subprocess
import time

import backlog
import load
from bench import FUNCTIONS, ROOT, make_service, median, python_function

SIZE = 4096
ENDED = ("succeeded", "failed", "cancelled")
EXAMPLE = os.path.join(ROOT, "Examples", "mask-detection")


def folders(bucket):
    """Input and output of a service in one bucket."""
    return {f"{place}put": [{"storage_provider": "minio", "path": f"{bucket}/{place}"}] for place in ("in", "out")}


def await_jobs(api, service, count, seconds=600):
    """Waits for so many ended jobs, all of which have to have succeeded."""
    backlog.wait_until(lambda: api.count(service, ENDED) >= count, f"{count} jobs of {service}", seconds, 0.01)
    good = api.count(service, ("succeeded",))
    if good != count:
        newest = next(job for job in api.jobs(service, 1, ("failed", "cancelled"))["jobs"])
        raise RuntimeError(f"{count - good} of {count} jobs of {service} did not succeed: {newest.get('message') or newest}")


def measure_files(bench):
    """1,000 files of 4 KiB through a function in Python, from the first PUT to the last result."""
    count = 100 if bench.quick else 1000
    generator = load.Generator(bench.place("load"))
    two = {"min": 2, "max": 2, "concurrency": 4}
    with bench.apus() as apus:
        kinds = (
            ("resident", "resident", two, [], "≥ 500 files/s", 500),
            ("fork", "resident, fork per invocation", two, ["--fork"], "≥ 200 files/s", 200),
            ("batch", "resident, batches of up to 16", {**two, "batch": {"files": 16, "wait": "20ms"}}, [], "", None))
        for name, label, instances, words, aim, least in kinds:
            make_service(apus, name, python_function("digest.py", *words), "resident", instances, **folders(name))
            seconds, put, cpu = through(bench, apus, generator, name, count)
            found = bench.keep(f"files, {name}", count / seconds)
            bench.row(
                f"{count:,} files of 4 KiB, 8 clients, Python {label}: first PUT → last result", f"{found:,.0f} files/s",
                f"PUTs {count / put:,.0f}/s; the server's processor time a file {cpu / count * 1000:.2f} ms",
                "", aim, None if least is None else found >= least)


def through(bench, apus, generator, service, count):
    """Seconds from the first PUT to the last result, of the PUTs alone, and of the server's processor time."""
    api, store = apus.server.api(), apus.server.store()
    store.put(f"/{service}/in/warm", b"x")
    await_jobs(api, service, 1)
    requests = [
        load.Request("PUT", f"/{service}/in/{index}", offset=index * SIZE, length=SIZE) for index in range(count)]
    cpu, begin = apus.server.cpu_seconds(), time.monotonic()
    counted = generator.send(apus, requests, 8, 300)
    if counted["bad"]:
        raise RuntimeError(f"{counted['bad']} uploads failed: {counted['error']}")
    await_jobs(api, service, count + 1)
    seconds, cpu = time.monotonic() - begin, apus.server.cpu_seconds() - cpu
    for index in range(count):
        wanted = hashlib.sha256(generator.payload.cut(index * SIZE, SIZE)).hexdigest().encode()
        if store.get(f"/{service}/out/{index}.sha256") != wanted:
            raise RuntimeError(f"the result of file {index} of {service} is wrong")
    return seconds, counted["seconds"], cpu


def measure_model(bench):
    """The example's face detection: the network loaded for each file, or once."""
    python = os.environ.get("MASK_DETECTION_PYTHON") or os.path.join(ROOT, ".venv", "bin", "python3")
    script = os.path.join(EXAMPLE, "anonymise.sh")
    environment = {"MASK_DETECTION_PYTHON": python, "CPU_THREADS": "1", "FACE_THRESHOLD": "0.2"}
    function = [python, os.path.join(FUNCTIONS, "anonymise.py"), script]
    load_time(function, environment)
    images = frames(bench, python, 3 if bench.quick else 12)
    with open(script, encoding="utf-8") as file:
        text = file.read().partition("\n")[2]
    shared = {"memory": "2Gi", "environment": {"variables": environment}}
    with bench.apus() as apus:
        make_service(apus, "cold", text, **shared, **folders("cold"))
        make_service(
            apus, "warm", python_function(*function[1:], python=python), "resident", {"min": 1, "max": 1}, **shared,
            **folders("warm"))
        # In turns, file by file, so that what the machine does besides hits all alike.
        work = {"load": lambda *_: load_time(function, environment), "cold": one_file, "warm": one_file}
        seconds = {name: [] for name in work}
        for number, path in enumerate([images[0], *images]):
            for name, measure in work.items():
                took = measure(apus, name, path, number)
                if number:  # The first of all starts what stays.
                    seconds[name].append(took)
        store, names = apus.server.store(), [os.path.basename(path) for path in images]
        wrong = [name for name in names if store.get(f"/cold/out/{name}") != store.get(f"/warm/out/{name}")]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(images)} resident results differ from those of the script: {wrong[0]}")
    show_model(bench, bench.keep("model", seconds))


def show_model(bench, seconds):
    """The rows, from the seconds of each file."""
    loading, cold, warm = (median(seconds[name]) for name in ("load", "cold", "warm"))
    won = median([slow - fast for slow, fast in zip(seconds["cold"], seconds["warm"])])
    bench.row("floor: Python starts, imports and loads the network", "", f"{loading:.2f} s")
    bench.row("anonymise, all loaded for each file (mode script), a file", f"{cold:.2f} s", "",
              f"{1 / mean(seconds['cold']):.2f} files/s")
    bench.row(
        "anonymise, loaded once (mode resident), a file", f"{warm:.2f} s", f"script {cold:.2f} s, load {loading:.2f} s",
        f"{won:.2f} s won a file, {1 / mean(seconds['warm']):.2f} files/s", "won ≥ 0.9 × load", won >= 0.9 * loading)


def mean(values):
    return sum(values) / len(values)


def load_time(function, environment):
    """Seconds from the interpreter's start until the network is loaded."""
    reason, done = f"no {function[0]}", None
    if shutil.which(function[0]):
        done = subprocess.run(
            [*function, "--load"], env={**os.environ, **environment}, capture_output=True, text=True, check=False)
        reason = (done.stderr.strip() or "no output").splitlines()[-1] if done.returncode else ""
    if reason:
        raise RuntimeError(
            f"the example's Python packages are not there ({reason}); `scripts/install-deps.sh demo` installs them in .venv, "
            "or set MASK_DETECTION_PYTHON to a Python that has them")
    return float(done.stdout)


def frames(bench, python, count):
    """Images of the example's own videos, made as the example makes them."""
    folder = bench.place("frames")
    videos, images = os.path.join(folder, "videos"), os.path.join(folder, "images")
    os.makedirs(images)
    subprocess.run([python, os.path.join(EXAMPLE, "make-input.py"), videos], check=True, capture_output=True)
    for video in sorted(glob.glob(os.path.join(videos, "*"))):
        subprocess.run(
            ["sh", os.path.join(EXAMPLE, "frames.sh")], check=True, capture_output=True,
            env={**os.environ, "INPUT_FILE_PATH": video, "TMP_OUTPUT_DIR": images, "FRAME_INTERVAL": "4"})
    found = sorted(glob.glob(os.path.join(images, "*.jpg")))
    if len(found) < count:
        raise RuntimeError(f"the example's videos gave {len(found)} images, {count} are needed")
    return [found[index * len(found) // count] for index in range(count)]


def one_file(apus, service, path, number):
    """Seconds from a PUT to the stored result; the file with the number 0 gets another name."""
    api, store = apus.server.api(), apus.server.store()
    with open(path, "rb") as file:
        body = file.read()
    name = os.path.basename(path) if number else "first.jpg"
    begin = time.monotonic()
    store.put(f"/{service}/in/{name}", body)
    await_jobs(api, service, number + 1)
    return time.monotonic() - begin
