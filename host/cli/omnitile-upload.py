#!/usr/bin/env python3
"""Uploads vectors that `omnitile index --export FILE.npy` wrote to Qdrant or Milvus.

    omnitile-upload.py FILE.npy qdrant URL|FOLDER COLLECTION    (pip install qdrant-client)
    omnitile-upload.py FILE.npy milvus URI|FILE.db COLLECTION   (pip install "pymilvus[milvus_lite]")

FILE.ids.jsonl beside it has the ids. URL is that of a server; a folder, or a name that ends in .db,
is the client's own local store. Vectors are compared by inner product, exactly where the store can
(Qdrant: search with exact=True; Milvus: index FLAT). A point's number is its row in the file, and
its payload {"id", "model"}. Rows that are there with the same id and model are passed over, so that
a cut-off upload goes on when it is started again; a collection that has more rows than the file is
an error, for what is not in the file any more would still be found.
--dry-run reads everything and sends nothing; --batch N vectors at a time (256)."""
import argparse
import json
import sys
from pathlib import Path

try:
    import numpy as np
except ImportError:
    sys.exit("omnitile-upload: it needs numpy: pip install numpy")


class Qdrant:
    def __init__(self, where, name, dimension):
        from qdrant_client import QdrantClient, models
        self.models, self.name = models, name
        self.client = QdrantClient(url=where) if "://" in where else QdrantClient(path=where)
        if not self.client.collection_exists(name):
            self.client.create_collection(name, vectors_config=models.VectorParams(
                size=dimension, distance=models.Distance.DOT))

    def ids(self, rows):
        points = self.client.retrieve(self.name, ids=rows, with_payload=True)
        return {point.id: (point.payload.get("id"), point.payload.get("model"))
                for point in points}

    def put(self, rows, ids, vectors, model):
        self.client.upsert(self.name, wait=True, points=self.models.Batch(
            ids=rows, vectors=vectors.tolist(),
            payloads=[{"id": i, "model": model} for i in ids]))

    def count(self):
        return self.client.count(self.name, exact=True).count

    def close(self):
        self.client.close()


class Milvus:
    def __init__(self, where, name, dimension):
        from pymilvus import DataType, MilvusClient
        self.client, self.name = MilvusClient(where), name
        if not self.client.has_collection(name):
            schema = self.client.create_schema(auto_id=False)
            schema.add_field("row", DataType.INT64, is_primary=True)
            schema.add_field("id", DataType.VARCHAR, max_length=4096)
            schema.add_field("model", DataType.VARCHAR, max_length=1024)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
            index = self.client.prepare_index_params()
            index.add_index("vector", index_type="FLAT", metric_type="IP")
            self.client.create_collection(name, schema=schema, index_params=index)
        self.client.load_collection(name)

    def ids(self, rows):
        found = self.client.get(self.name, ids=rows, output_fields=["row", "id", "model"])
        return {point["row"]: (point["id"], point["model"]) for point in found}

    def put(self, rows, ids, vectors, model):
        self.client.upsert(self.name, [
            {"row": r, "id": i, "model": model, "vector": v}
            for r, i, v in zip(rows, ids, vectors)])

    def count(self):
        found = self.client.query(self.name, filter="", output_fields=["count(*)"])
        return found[0]["count(*)"]

    def close(self):
        self.client.close()


STORES = {"qdrant": Qdrant, "milvus": Milvus}


def fail(text):
    sys.exit(f"omnitile-upload: {text}")


def load(path):
    """Vectors (mapped), ids and the model of an exported file."""
    stem = path.with_suffix("")
    try:
        vectors = np.load(path, mmap_mode="r")
        with open(f"{stem}.ids.jsonl", encoding="utf-8") as lines:
            ids = [json.loads(line)["id"] for line in lines]
        meta = Path(f"{stem}.meta.json")
        model = json.loads(meta.read_text())["model"] if meta.exists() else ""
    except (OSError, ValueError, KeyError) as error:
        fail(f"{path}: {error}")
    if vectors.ndim != 2 or len(ids) != len(vectors):
        fail(f"{path}: {len(ids)} ids for vectors of shape {vectors.shape}")
    if not all(np.isfinite(vectors[at:at + 4096]).all() for at in range(0, len(vectors), 4096)):
        fail(f"{path}: a vector is not finite: export an index, which has none of these")
    return vectors, ids, model


def upload(store, vectors, ids, model, batch):
    """How many vectors were sent."""
    sent = 0
    for first in range(0, len(ids), batch):
        rows = list(range(first, min(first + batch, len(ids))))
        there = store.ids(rows)
        missing = [row for row in rows if there.get(row) != (ids[row], model)]
        if missing:
            store.put(missing, [ids[row] for row in missing],
                      np.ascontiguousarray(vectors[missing], dtype=np.float32), model)
        sent += len(missing)
        print(f"\r{rows[-1] + 1} of {len(ids)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("store", choices=STORES)
    parser.add_argument("where")
    parser.add_argument("collection")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    if given.batch < 1:
        fail("--batch is not positive")
    vectors, ids, model = load(given.file)
    if given.dry_run:
        print(f"{len(ids)} vectors of {vectors.shape[1]} values, model {model or 'not told'}")
        return
    try:
        store = STORES[given.store](given.where, given.collection, vectors.shape[1])
        sent = upload(store, vectors, ids, model, given.batch)
        count = store.count()
        store.close()
    except ImportError as error:
        fail(f"{error}: {given.store}'s client is not installed (--help has how)")
    except Exception as error:  # whatever the clients raise: their messages tell what is wrong
        fail(f"{given.where}: {given.collection}: {error}")
    print(f"{sent} sent, {len(ids) - sent} were there, {count} in {given.collection}")
    if count != len(ids):
        fail(f"{given.collection} has {count} rows, the file {len(ids)}")


main()
