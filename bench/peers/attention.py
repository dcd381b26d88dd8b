"""Our OpenCL attention beside PyTorch's scaled_dot_product_attention on the same cores, in turn.

    attention.py BENCH_ATTENTION [ROUNDS]

A line of JSON a shape: medians of the rounds, each of them a median, and their ratio."""
import json
import statistics
import subprocess
import sys
import time

import torch

SHAPES = [  # name, tokens, heads, kv heads, head size, causal
    ("text", 512, 16, 2, 128, 0), ("text", 2048, 16, 2, 128, 0),
    ("text causal", 2048, 16, 2, 128, 1),
    ("vision full", 1024, 16, 16, 80, 0), ("audio", 100, 20, 20, 64, 0),
]


def torch_ms(tokens, heads, kv_heads, dim, causal, repeats, dtype):
    q = torch.randn(1, heads, tokens, dim, dtype=dtype)
    k = torch.randn(1, kv_heads, tokens, dim, dtype=dtype)
    v = torch.randn(1, kv_heads, tokens, dim, dtype=dtype)
    k = k.repeat_interleave(heads // kv_heads, 1)  # what transformers' repeat_kv hands it
    v = v.repeat_interleave(heads // kv_heads, 1)
    times = []
    for i in range(repeats + 2):
        begin = time.perf_counter()
        torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=bool(causal))
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times[2:])


def main():
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for name, tokens, heads, kv_heads, dim, causal in SHAPES:
        ours, theirs = [], {"f32": [], "bf16": []}
        repeats = max(5, 40000 // tokens // 10)
        for _ in range(rounds):
            shape = [str(x) for x in (tokens, heads, kv_heads, dim, causal, repeats)]
            line = subprocess.run([program] + shape, check=True, capture_output=True, text=True)
            ours.append(json.loads(line.stdout)["ms"])
            for kind, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
                theirs[kind].append(torch_ms(tokens, heads, kv_heads, dim, causal, repeats, dtype))
        mine = statistics.median(ours)
        peer = {kind: statistics.median(times) for kind, times in theirs.items()}
        print(json.dumps({
            "op": "attention", "shape": name, "tokens": tokens, "heads": heads,
            "kv_heads": kv_heads, "head_dim": dim, "causal": causal, "ms": round(mine, 3),
            "torch_f32_ms": round(peer["f32"], 3), "torch_bf16_ms": round(peer["bf16"], 3),
            "ratio_f32": round(peer["f32"] / mine, 3), "ratio_bf16": round(peer["bf16"] / mine, 3),
            "rounds": rounds, "torch": torch.__version__}), flush=True)


main()
