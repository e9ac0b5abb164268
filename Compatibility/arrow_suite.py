"""Arrow's S3 file system, as a Spark-like reader and writer uses it, and the object_store of Rust's data programs."""

import random

import obstore
import obstore.exceptions
import obstore.store
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet

from cases import case, equal, expect, random_bytes

BUCKET = "arrow-main"
MEBIBYTE = 1024 * 1024


def file_system(context):
    return pyarrow.fs.S3FileSystem(
        access_key=context.access_key,
        secret_key=context.secret_key,
        endpoint_override=context.endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


def table(rows):
    return pyarrow.table(
        {
            "id": list(range(rows)),
            "day": [f"2026-01-0{1 + number % 3}" for number in range(rows)],
            "text": [f"row ü {number}" for number in range(rows)],
        }
    )


@case("Arrow: buckets and folders made and listed, files told from folders")
def folders(context):
    store = file_system(context)
    store.create_dir(f"{BUCKET}/a/b")
    for name, kind in (("", "Directory"), ("/a", "Directory"), ("/a/b", "Directory"), ("/a/c", "NotFound")):
        equal(store.get_file_info(BUCKET + name).type.name, kind, f"kind of {name!r}")
    with store.open_output_stream(f"{BUCKET}/a/b/file ü") as file:
        file.write(b"content")
    info = store.get_file_info(f"{BUCKET}/a/b/file ü")
    equal((info.type.name, info.size), ("File", 7), "file")
    found = store.get_file_info(pyarrow.fs.FileSelector(BUCKET, recursive=True))
    equal(sorted(one.path for one in found), [f"{BUCKET}/a", f"{BUCKET}/a/b", f"{BUCKET}/a/b/file ü"], "listing")


@case("Arrow: streams up in parts, reading at random places")
def streams(context):
    store = file_system(context)
    body = random_bytes(23 * MEBIBYTE + 11)
    with store.open_output_stream(f"{BUCKET}/large", metadata={"Content-Type": "application/x-large"}) as file:
        for at in range(0, len(body), 700_000):
            file.write(body[at : at + 700_000])
    equal(context.boto().head_object(Bucket=BUCKET, Key="large")["ContentType"], "application/x-large", "type")
    with store.open_input_file(f"{BUCKET}/large") as file:
        equal(file.size(), len(body), "size")
        for seed in range(20):
            at = random.Random(seed).randrange(len(body))
            file.seek(at)
            expect(file.read(5000) == body[at : at + 5000], f"bytes at {at}")
    with store.open_input_stream(f"{BUCKET}/large") as file:
        expect(file.read() == body, "content differs")


@case("Arrow: a Parquet table, a partitioned data set, filtered reading, overwriting")
def datasets(context):
    store, rows = file_system(context), table(20_000)
    pyarrow.parquet.write_table(rows, f"{BUCKET}/one.parquet", filesystem=store)
    back = pyarrow.parquet.read_table(f"{BUCKET}/one.parquet", filesystem=store, columns=["id", "text"])
    expect(back.equals(rows.select(["id", "text"])), "table differs")
    for behaviour in ("error", "delete_matching"):
        pyarrow.dataset.write_dataset(
            rows,
            f"{BUCKET}/set",
            filesystem=store,
            format="parquet",
            partitioning=pyarrow.dataset.partitioning(pyarrow.schema([("day", pyarrow.string())]), flavor="hive"),
            existing_data_behavior=behaviour,
        )
    whole = pyarrow.dataset.dataset(f"{BUCKET}/set", filesystem=store, partitioning="hive")
    equal(len(whole.files), 3, "files of the set")
    equal(whole.count_rows(), 20_000, "rows")
    part = whole.to_table(filter=pyarrow.compute.field("day") == "2026-01-02", columns=["id"])
    equal(sorted(part["id"].to_pylist()), list(range(1, 20_000, 3)), "rows of one day")


@case("Arrow: copy, move, delete of files, folders and buckets")
def removal(context):
    store = file_system(context)
    store.copy_file(f"{BUCKET}/a/b/file ü", f"{BUCKET}/a/copy")
    store.move(f"{BUCKET}/a/copy", f"{BUCKET}/a/moved")
    with store.open_input_stream(f"{BUCKET}/a/moved") as file:
        equal(file.read(), b"content", "content")
    equal(store.get_file_info(f"{BUCKET}/a/copy").type.name, "NotFound", "what was moved")
    store.delete_file(f"{BUCKET}/a/moved")
    store.delete_dir(f"{BUCKET}/set")
    equal(store.get_file_info(f"{BUCKET}/set").type.name, "NotFound", "folder deleted")
    store.delete_dir_contents(f"{BUCKET}/a")
    equal(store.get_file_info(pyarrow.fs.FileSelector(f"{BUCKET}/a")), [], "contents deleted")
    store.delete_dir(BUCKET)
    equal(store.get_file_info(BUCKET).type.name, "NotFound", "bucket deleted")
    try:
        store.open_input_file(f"{BUCKET}/never")
    except FileNotFoundError:
        return
    raise AssertionError("a file that is not there was opened")


@case("object_store: put, parts, ranges, listing, copy, rename, create only, update only")
def object_store(context):
    context.boto().create_bucket(Bucket="obstore-main")
    store = obstore.store.S3Store(
        "obstore-main",
        endpoint=context.endpoint,
        access_key_id=context.access_key,
        secret_access_key=context.secret_key,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    body = random_bytes(12 * MEBIBYTE + 1)
    obstore.put(store, "large ü", body, chunk_size=5 * MEBIBYTE)
    expect(bytes(obstore.get(store, "large ü").bytes()) == body, "content differs")
    got = obstore.get_ranges(store, "large ü", starts=[0, 9_000_000], ends=[10, 9_000_100])
    expect([bytes(piece) for piece in got] == [body[:10], body[9_000_000:9_000_100]], "ranges differ")
    first = obstore.put(store, "once", b"1", mode="create")
    try:
        obstore.put(store, "once", b"2", mode="create")
        raise AssertionError("created twice")
    except obstore.exceptions.AlreadyExistsError:
        pass
    unchanged = {"e_tag": first["e_tag"]}
    obstore.put(store, "once", b"2", mode=unchanged)
    try:
        obstore.put(store, "once", b"3", mode=unchanged)
        raise AssertionError("an old ETag was accepted")
    except obstore.exceptions.PreconditionError:
        pass
    obstore.copy(store, "once", "dir/copy")
    obstore.rename(store, "dir/copy", "dir/b c+%")
    names = [entry["path"] for batch in obstore.list(store) for entry in batch]
    equal(sorted(names), ["dir/b c+%", "large ü", "once"], "names")
    folded = obstore.list_with_delimiter(store)
    equal((list(folded["common_prefixes"]), len(folded["objects"])), (["dir"], 2), "with delimiter")
    obstore.delete(store, names)
    equal([entry for batch in obstore.list(store) for entry in batch], [], "left")
