#!/usr/bin/env python3
"""make.py: example records for the report's tests, in the layout of bench/README.md. The figures are
made up, after recorded runs on 2 cores of a Zen 5; nothing here is a result. Run it to make the
*.jsonl beside it anew."""
import copy
import hashlib
import json
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))
rng = random.Random(6)


def r(value, digits=6):
    return float(f"{value:.{digits}g}")


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


SETTINGS = {
    "name": "demo", "model": "../../build/demo/model", "backend": "opencl,openblas,ref",
    "device": "0", "weights": "stored", "tiles": "", "engine": {
        "batch": 8, "max_tokens": 8192, "slots": 2, "threads": 1},
    "limits": {"recipe": "cap", "fps": 2.0, "max_frames": 64, "image_max_pixels": 0,
               "video_max_pixels": 50176}, "fusion": "off", "dimension": 0,
    "data": {"passages": "../../build/demo/passages.jsonl",
             "queries": "../../build/demo/queries.jsonl", "qrels": "../../build/demo/qrels.tsv"},
    "scenario": {"mode": "offline", "min_duration_s": 10, "min_queries": 100, "warmup": 8,
                 "repetitions": 3, "seed": 1, "overlap": True},
    "retrieval": {"convention": "trec_eval", "k": [1, 5, 10], "bootstrap": 1000},
    "profile": True, "roofline": True, "energy": True, "output": "../../build/demo/results.jsonl"}

# modality: file, items, tokens an item, ms of decode, preprocess, pack, transfer, compute
KINDS = {"image": ("passages", 197, 89, 2.1, 2.6, 0.11, 0.06, 8.4),
         "video": ("passages", 20, 127, 7.9, 3.1, 0.2, 0.13, 10.2),
         "audio": ("passages", 238, 77, 3.9, 1.4, 0.09, 0.05, 2.9),
         "joined": ("passages", 20, 168, 9.8, 4.2, 0.24, 0.15, 11.1),
         "text": ("queries", 400, 37, 0.0, 0.06, 0.03, 0.01, 1.7)}


def latency(p50, tail):
    p99 = p50 * tail
    return {"min": r(p50 * 0.55), "mean": r(p50 * 1.15), "p50": r(p50),
            "p90": r(p50 + (p99 - p50) * 0.45), "p95": r(p50 + (p99 - p50) * 0.68),
            "p99": r(p99), "p99_9": r(p99 * 1.25), "max": r(p99 * 1.4)}


def stages(kind, speed, queue):
    _, _, _, *ms = KINDS[kind]
    out, total = {}, queue
    for name, value in zip(["decode", "preprocess", "pack", "transfer", "compute"], ms):
        value *= (1 / speed if name in ("compute", "transfer") else 1) * rng.uniform(0.96, 1.04)
        total += value
        out[name] = {"mean": r(value), "p50": r(value * 0.95), "p99": r(value * 1.9)}
    out["queue"] = {"mean": r(queue), "p50": r(queue * 0.9), "p99": r(queue * 2.4)}
    out["total"] = {"mean": r(total), "p50": r(total * 0.93), "p99": r(total * 2.2)}
    return out


def part(kind, speed=1.0, slots=2, mode="offline", energy=None):
    file, items, tokens, *ms = KINDS[kind]
    prepare, device = sum(ms[:3]), sum(ms[3:]) / speed
    span = max(prepare, device) * 1.06 if slots > 1 else (prepare + device) * 1.02
    span *= rng.uniform(0.97, 1.03)
    rounds = max(3, int(10000 / (items * span)) + 1)
    rate = 1000 / span
    hidden = r(min(prepare, device) / prepare * 0.94, 4) if slots > 1 else 0.0
    seconds = items * rounds * span / 1000
    out = {"mode": mode, "file": file, "modality": kind, "valid": True, "queries": rounds,
           "items": items * rounds, "failed": 0, "tokens": items * rounds * tokens, "seed": 1,
           "duration_s": r(seconds), "items_per_s": r(rate), "tokens_per_s": r(rate * tokens),
           "queries_per_s": r(rate / items), "latency_ms": latency(span * 9.5, 2.6),
           "stages_ms": stages(kind, speed, span * 8),
           "stages_s": {"prepare": r(items * rounds * prepare / 1e3),
                        "transfer": r(items * rounds * ms[3] / 1e3),
                        "compute": r(items * rounds * device / 1e3),
                        "hidden_prepare": r(items * rounds * prepare / 1e3 * hidden),
                        "hidden_transfer": r(items * rounds * ms[3] / 1e3 * hidden)},
           "hidden_share": hidden}
    if slots > 1:
        out["serial"] = {"items_per_s": r(1000 / ((prepare + device) * 1.02)), "hidden_share": 0.0}
    out["energy"] = {"reason": "not available: /sys/class/powercap is not there"}
    if energy:
        out["energy"] = {"joules": r(energy * seconds), "joules_per_item": r(energy * span / 1e3),
                         "sources": ["rapl:package-0", "rapl:dram"]}
    return out


OPS = [("gemm_bf16", 3120, 0.55, 41.0, 0.88), ("gemm", 402, 0.16, 9.4, 0.71),
       ("attention", 520, 0.13, 24.0, 0.62), ("rmsnorm", 980, 0.035, 0.37, 0.55),
       ("layernorm", 260, 0.012, 0.42, 0.6), ("rotary", 520, 0.019, 0.62, 0.66),
       ("pairs", 480, 0.04, 0.51, 0.72), ("rows", 130, 0.006, 0.12, 0.8),
       ("patches", 66, 0.009, 1.1, 0.35), ("unfold", 40, 0.012, 0.3, 0.48),
       ("pool", 65, 0.003, 0.25, 0.4), ("l2norm", 65, 0.0006, 0.5, 0.1)]


def ops(scale, weights):
    out = []
    for name, launches, share, intensity, of_roof in OPS:
        peak = 152.0
        if name == "gemm_bf16":
            name = {"int8": "gemm_i8", "bf16": "gemm_bf16", "stored": "gemm_bf16w"}[weights]
            peak = {"int8": 480.0, "bf16": 262.0, "stored": 152.0}[weights]
        roof = min(peak, intensity * 21.3)
        seconds = share * 4.0 / scale
        gflops = roof * of_roof
        out.append({"op": name, "launches": launches, "seconds": r(seconds),
                    "flops": int(gflops * 1e9 * seconds),
                    "bytes": int(gflops * 1e9 * seconds / intensity), "gflops": r(gflops),
                    "gbytes_per_s": r(gflops / intensity),
                    "bound": "compute" if roof == peak else "memory",
                    "roof_gflops": r(roof), "roof_share": r(of_roof)})
    return out


def scores(base, queries):
    def one(value):
        half = 1.96 * (value * (1 - value) / queries) ** 0.5
        return {"value": r(value, 5), "low": r(max(0, value - half), 5),
                "high": r(min(1, value + half), 5)}
    return {"ndcg": {"1": one(base * 0.82), "5": one(base * 0.96), "10": one(base)},
            "recall": {"1": one(base * 0.8), "5": one(base * 1.08), "10": one(base * 1.17)},
            "mrr": {"10": one(base * 0.94)}, "map": {"": one(base * 0.9)}}


CHANCE = {"ndcg": {"1": 0.0021, "5": 0.0062, "10": 0.0097},
          "recall": {"1": 0.0021, "5": 0.0105, "10": 0.021}, "mrr": {"10": 0.0062},
          "map": {"": 0.0143}}


def record(point, date, weights="stored", slots=2, tokens=8192, dimension=0, quality=0.42,
           energy=None):
    speed = {"stored": 1.0, "int8": 2.4, "bf16": 1.45}[weights] * {2048: 0.88, 8192: 1.0}[tokens]
    settings = copy.deepcopy(SETTINGS)
    settings["weights"] = weights
    settings["engine"]["slots"] = slots
    settings["engine"]["max_tokens"] = tokens
    settings["dimension"] = dimension
    settings["scenario"]["overlap"] = slots > 1
    weight_bytes = {"stored": 8.8e9, "int8": 4.7e9, "bf16": 8.8e9}[weights] / 5
    device = weight_bytes + slots * tokens * 21000
    key = digest(json.dumps(settings) + date)
    return {
        "record": 2, "key": key, "name": settings["name"], "date": date, "omnitile": "0.1.0",
        "point": point, "settings": settings,
        "files": {name: {"path": f"../../build/demo/{name}", "sha256": digest(name)}
                  for name in ("yaml", "passages", "queries", "qrels")},
        "host": {"system": "Linux", "release": "6.1.0-28-amd64", "machine": "x86_64",
                 "cpu": "AMD EPYC 9655P 96-Core Processor", "cores": 2,
                 "memory_bytes": 16642998272},
        "model": {"path": "build/demo/model", "architecture": "NVOmniEmbedModel", "dimension": 64,
                  "tensors": 159, "weight_bytes": int(weight_bytes)},
        "engine": {"chain": "opencl,openblas,ref", "device": "cpu-skylake-avx512-AMD EPYC",
                   "platform": "Portable Computing Language", "driver": "3.1+debian",
                   "weights": weights, "slots": slots, "batch_items": 8, "max_tokens": tokens,
                   "threads": 1, "memory_bytes": int(device), "devices": [
                       {"device": "cpu-skylake-avx512-AMD EPYC", "items": 4375, "batches": 620,
                        "compute_s": 31.4, "gflops": 141.0, "memory_bytes": int(device)}]},
        "start": {"model_s": 0.021, "build_s": r(0.34 * rng.uniform(0.9, 1.1)),
                  "load_s": r(weight_bytes / 6.1e9), "open_s": r(0.41 + weight_bytes / 6.1e9),
                  "first_s": r(0.52 + weight_bytes / 6.1e9)},
        "memory": {"host_peak_bytes": int(device * 1.18 + 2.1e8), "device_bytes": int(device),
                   "weights_bytes": int(weight_bytes)},
        "parts": [part(kind, speed, slots, energy=energy) for kind in KINDS],
        "roofline": {"device": "cpu-skylake-avx512-AMD EPYC", "backend": "opencl",
                     "gflops": {"f32": 152.4, "int8": 481.0, "bf16": 262.5},
                     "gbytes_per_s": 21.3, "gbytes_per_s_copy": 17.8, "sets": [
                         {"bytes": 1 << 20, "gbytes_per_s": 118.0, "gbytes_per_s_copy": 91.0},
                         {"bytes": 16 << 20, "gbytes_per_s": 42.0, "gbytes_per_s_copy": 33.0},
                         {"bytes": 256 << 20, "gbytes_per_s": 21.3, "gbytes_per_s_copy": 17.8}]},
        "ops": ops(speed, weights),
        "retrieval": {"convention": "trec_eval", "queries": 400, "answered": 400, "passages": 475,
                      "dimension": dimension or 64, "measured": scores(quality, 400),
                      "chance": CHANCE},
        "overhead": {"harness_s": 0.021, "share": 0.0011}}


def write(name, records, tail=""):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as out:
        for one in records:
            out.write(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n")
        out.write(tail)


def search(rates, knee, target):
    out = []
    for rate in rates:
        p99 = 31 * (1 + (rate / knee) ** 6 * 0.9) if rate < knee * 1.05 else 31 * rate / knee * 38
        out.append({"rate": rate, "latency_ms": r(p99 * rng.uniform(0.97, 1.03)),
                    "valid": p99 <= target, "queries": int(rate * 10)})
    return out


def server(date, slots, knee, rates):
    one = record({"engine.slots": slots}, date, slots=slots)
    one["settings"]["scenario"].update(mode="server", target_latency_ms=100, percentile=99, rate=0)
    trials = search(rates, knee, 100)
    best = max(t["rate"] for t in trials if t["valid"])
    mixed = {"mode": "server", "modality": "mixed", "valid": True, "queries": int(best * 12),
             "items": int(best * 12), "failed": 0, "tokens": int(best * 12 * 71), "seed": 1,
             "duration_s": 12.0, "items_per_s": r(best * 0.997), "tokens_per_s": r(best * 71),
             "queries_per_s": r(best * 0.997), "latency_ms": latency(34, 2.7),
             "stages_ms": stages("audio", 1, 21), "hidden_share": 0.71 if slots > 1 else 0.0,
             "energy": {"reason": "not available: /sys/class/powercap is not there"},
             "rate": best, "target_latency_ms": 100, "percentile": 99, "search": trials,
             "modalities": {}}
    for kind, (_, items, tokens, *_) in KINDS.items():
        share = items / 875
        mixed["modalities"][kind] = {
            "items": int(best * 12 * share), "failed": 0, "tokens": int(best * 12 * share * tokens),
            "items_per_s": r(best * share), "tokens_per_s": r(best * share * tokens),
            "latency_ms": latency({"text": 24, "audio": 35}.get(kind, 46), 2.5),
            "stages_ms": stages(kind, 1, 20)}
    one["parts"] = [mixed]
    return one


write("demo.jsonl", [record({}, "2026-11-26T09:12:44Z")])

sweep = []
for weights, quality in (("stored", 0.421), ("int8", 0.409), ("bf16", 0.419)):
    for slots in (1, 2):
        for dimension, loss in ((0, 1.0), (32, 0.93)):
            n = len(sweep)
            sweep.append(record({"weights": weights, "engine.slots": slots, "dimension": dimension},
                                f"2026-11-26T09:{20 + n}:10Z", weights, slots, 8192, dimension,
                                quality * loss, energy=61.0))
broken = sweep[3]["parts"][1]
broken.update(valid=False, reasons=["7.42 s, at least 10 s", "41 queries, at least 100"])
sweep[8]["parts"][4].update(valid=False, failed=3, reasons=["3 of 400 items failed"])
write("sweep.jsonl", sweep, '{"record":2,"key":"5e1f","name":"demo","date":"2026-11-26T09:3')

write("server.jsonl", [
    server("2026-11-26T10:02:00Z", 1, 61, [16, 32, 64, 128, 48, 56, 60, 62]),
    server("2026-11-26T10:09:00Z", 2, 104, [16, 32, 64, 128, 96, 112, 104, 100, 102])])

two = record({}, "2026-11-26T11:00:00Z", energy=83.0)
two["name"] = two["settings"]["name"] = "two devices"
two["engine"]["devices"] = [
    {"device": "Intel(R) FPGA PAC D5005 & <friends>", "items": 2810, "batches": 401,
     "compute_s": 19.2, "gflops": 912.0, "memory_bytes": 5100000000},
    {"device": "cpu-skylake-avx512-AMD EPYC", "part": "1/2", "items": 1565, "batches": 224,
     "compute_s": 20.1, "gflops": 141.0, "memory_bytes": 2100000000,
     "error": "clEnqueueNDRangeKernel: CL_OUT_OF_RESOURCES"}]
del two["retrieval"]
write("devices.jsonl", [two])

old = record({}, "2026-11-24T13:05:56Z")
for key in ("record", "key", "name", "point", "start", "memory", "roofline", "ops", "overhead"):
    del old[key]
old["host"] = {"system": "Linux", "machine": "x86_64", "cores": 2}
old["passes"] = []
for one in old.pop("parts"):
    old["passes"].append({"file": one["file"], "modality": one["modality"], "items": one["items"],
                          "failed": 0, "tokens": one["tokens"], "wall_s": one["duration_s"],
                          "items_per_s": one["items_per_s"], "tokens_per_s": one["tokens_per_s"],
                          "latency_ms": {k: one["latency_ms"][k] for k in ("p50", "p90", "p99")},
                          "hidden_share": one["hidden_share"]})
old["retrieval"]["measured"] = {
    m: {k: v["value"] for k, v in cuts.items()} for m, cuts in scores(0.03, 400).items()
    if m != "map"}
write("old.jsonl", [old])

# What nobody should have written: markup, formulas, wrong types, numbers beyond reason.
evil = record({"weights": "<script>alert(1)</script>"}, "<img src=x onerror=alert(2)>")
evil["name"] = "</title><script>alert(3)</script> | `code` [x](javascript:alert(4)) ‮txt"
evil["settings"]["weights"] = "<script>alert(1)</script>"
evil["settings"]["tiles"] = "=HYPERLINK(\"http://example.com\",\"x\")"
evil["engine"]["device"] = "\"><svg onload=alert(5)>\u0007"
evil["parts"][0].update(modality="=1+1", items_per_s="NaN", latency_ms=[1, 2], valid="yes")
evil["parts"][1].update(modality="@SUM(A1)\",x\n", items_per_s=1e300, latency_ms={
    "p50": 1e-300, "p99": 1e300})
evil["parts"][2].update(modality="a|b", items_per_s=-5, latency_ms={"p50": None, "p99": 0},
                        valid=False, reasons="not a list")
evil["parts"][3].update(modality="x" * 500, valid=False, reasons=["<b>bold</b>", 7, None],
                        stages_ms={"compute": {"mean": 1e308}, "queue": 3})
evil["parts"].append("text")
evil["parts"].append(None)
evil["memory"] = {"host_peak_bytes": 1e30, "device_bytes": -1, "weights_bytes": "many"}
evil["ops"] = [{"op": "<o>", "seconds": 1e-9, "flops": 1e300, "bytes": 1, "gflops": 1e300,
                "bound": "memory"}, {"op": 5}, 7, {"op": "gemm", "seconds": 1, "flops": 1e9,
                                                   "bytes": 1e9, "gflops": 1}]
evil["roofline"] = {"gflops": {"<i>": 1e200, "f32": 0, "bf16": "x"}, "gbytes_per_s": 1e-200,
                    "sets": 5}
evil["retrieval"]["measured"] = {"ndcg": {"10": {"value": 7.5, "low": -3, "high": 1e99}},
                                 "<m>": {"<k>": 0.5}, "map": 3}
evil["retrieval"]["chance"] = [1]
write("hostile.jsonl", [evil])
