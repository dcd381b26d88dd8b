"""Exact search beside faiss's IndexFlatIP on the same cores, in turn.

    search.py OMNITILE BENCH_SEARCH FOLDER [ROUNDS [STORAGE...]]

100,000 random unit vectors of 2,048 values and 1,000 queries near some of them, made in FOLDER once;
the 100 best of each. Both programs stay open with their vectors in memory, and each round lets them
search once, in turn, when the machine's processes are idle. A line of JSON a case: medians, the
ratio, and the recall of our hits among faiss's. OPENBLAS_CORETYPE, if set, is faiss's: the OpenBLAS
that it brings knows no CPU of the last years, and falls back to kernels without AVX."""
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import faiss
import numpy as np

from settle import settle

COUNT, DIMENSION, QUERIES, K = 100_000, 2048, 1000, 100
STORAGES = ("f32", "bf16", "int8", "int8,bf16")


def make(omnitile, folder):
    """The vectors, and an index of each storage."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "queries.npy").exists():
        random = np.random.default_rng(1)

        def unit(values):
            return values / np.linalg.norm(values, axis=1, keepdims=True)
        vectors = unit(random.standard_normal((COUNT, DIMENSION), dtype=np.float32))
        near = vectors[random.integers(COUNT, size=QUERIES)]
        noise = unit(random.standard_normal((QUERIES, DIMENSION), dtype=np.float32))
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "queries.npy", unit(near + 2 * noise))
    for storage in STORAGES:
        index = folder / f"{storage}.idx"
        if not index.exists():
            subprocess.run([omnitile, "index", "--quiet", "--vectors", folder / "vectors.npy",
                            "--storage", storage, "--output", index], check=True)


class Ours:
    def __init__(self, program, folder, storage):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("OPENBLAS_")}
        self.process = subprocess.Popen(
            [program, folder / f"{storage}.idx", folder / "queries.npy", str(K)], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        print(line, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def search(self, count):
        return json.loads(self.ask(count))["seconds"]

    def hits(self, count):
        lines = [self.ask("hits")] + [self.process.stdout.readline() for _ in range(count - 1)]
        return np.array([line.split() for line in lines], dtype=np.int64)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def recall(ours, theirs):
    return sum(len(np.intersect1d(a, b)) for a, b in zip(ours, theirs)) / theirs.size


def main():
    omnitile, program, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    make(omnitile, folder)
    threads = len(os.sched_getaffinity(0))
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(np.load(folder / "vectors.npy"))
    queries = np.load(folder / "queries.npy")
    for storage in sys.argv[5:] or STORAGES:
        ours = Ours(program, folder, storage)
        for count in (QUERIES, 1):
            mine, peer = [], []
            first = ours.search(count)  # compares checksums, builds kernels
            index.search(queries[:count], K)
            for _ in range(rounds):
                settle()
                mine.append(ours.search(count))
                settle()
                begin = time.perf_counter()
                _, theirs = index.search(queries[:count], K)
                peer.append(time.perf_counter() - begin)
            mine_s, peer_s = statistics.median(mine), statistics.median(peer)
            print(json.dumps({
                "op": "search", "storage": storage, "vectors": COUNT, "dimension": DIMENSION,
                "queries": count, "k": K, "ms": round(1e3 * mine_s, 2),
                "faiss_ms": round(1e3 * peer_s, 2), "ratio": round(peer_s / mine_s, 3),
                "all_ms": [round(1e3 * s, 1) for s in mine],
                "all_faiss_ms": [round(1e3 * s, 1) for s in peer],
                "first_ms": round(1e3 * first, 1),
                "recall": recall(ours.hits(count), theirs), "rounds": rounds,
                "threads": threads, "faiss": faiss.__version__,
                "faiss_blas": os.environ.get("OPENBLAS_CORETYPE", "its own choice")}),
                flush=True)
        ours.close()


main()
