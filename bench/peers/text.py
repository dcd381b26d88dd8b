"""Text layers of the real width beside llama.cpp's and PyTorch's, on the same cores, in turn.

    text.py PEERS OMNITILE BENCH_LAYERS WORK [TOKENS] [ROUNDS]

PEERS: folder of bench/peers/setup.sh. WORK: a folder for checkpoints of 4 and 8 layers (2 GB). The
time of a layer is (t(8) - t(4)) / 4: llama-bench computes most of the last layer for one token
only. Prints one line of JSON."""
import json
import os
import statistics
import subprocess
import sys
import time

peers, omnitile, bench_layers, work = sys.argv[1:5]
tokens = int(sys.argv[5]) if len(sys.argv) > 5 else 512
rounds = int(sys.argv[6]) if len(sys.argv) > 6 else 5
llama = os.path.join(peers, "src/vendor/llama.cpp")
sys.path.insert(0, os.path.join(llama, "gguf-py"))
import gguf  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from transformers import Qwen2Config, Qwen2Model  # noqa: E402

DEPTHS = (4, 8)
HIDDEN, INTER, HEADS, KV, DIM, VOCAB = 2048, 11008, 16, 2, 128, 1000
TINY = os.path.join(os.path.dirname(__file__), "../../tests/golden/data/tiny")
GGUF = {"f32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16,
        "q8_0": gguf.GGMLQuantizationType.Q8_0}


def make_omnitile(depth):
    folder = os.path.join(work, f"omt{depth}")
    if os.path.exists(os.path.join(folder, "config.json")):
        return folder
    config = json.load(open(os.path.join(TINY, "config.json")))
    text = config.get("thinker_config", config)["text_config"]
    text.update(hidden_size=HIDDEN, intermediate_size=INTER, num_attention_heads=HEADS,
                num_key_value_heads=KV, num_hidden_layers=depth)
    for key in ("rope_scaling", "rope_parameters"):
        if isinstance(text.get(key), dict):
            text[key]["mrope_section"] = [16, 24, 24]
    text.pop("head_dim", None)
    if "layer_types" in text:
        text["layer_types"] = ["full_attention"] * depth
    if "max_window_layers" in text:
        text["max_window_layers"] = depth
    thinker = config.get("thinker_config", config)
    thinker["vision_config"]["out_hidden_size"] = HIDDEN
    thinker["audio_config"]["output_dim"] = HIDDEN
    like = os.path.join(work, f"config{depth}.json")
    json.dump(config, open(like, "w"))
    subprocess.run([omnitile, "synth", "--like", like, "--tokenizer", TINY, folder], check=True,
                   stderr=subprocess.DEVNULL)
    return folder


def make_gguf(depth, kind):
    path = os.path.join(work, f"qwen2-{depth}-{kind}.gguf")
    if os.path.exists(path):
        return path
    random = numpy.random.default_rng(0)
    out = gguf.GGUFWriter(path + ".part", "qwen2")
    out.add_block_count(depth)
    out.add_context_length(4096)
    out.add_embedding_length(HIDDEN)
    out.add_feed_forward_length(INTER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KV)
    out.add_rope_freq_base(1e6)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_vocab_size(VOCAB)
    out.add_tokenizer_model("no_vocab")

    def matrix(name, rows, cols):
        w = random.standard_normal((rows, cols), dtype=numpy.float32) * 0.02
        out.add_tensor(name, gguf.quants.quantize(w, GGUF[kind]), raw_dtype=GGUF[kind])

    def vector(name, size, value):
        out.add_tensor(name, numpy.full(size, value, numpy.float32))

    matrix("token_embd.weight", VOCAB, HIDDEN)
    matrix("output.weight", VOCAB, HIDDEN)
    vector("output_norm.weight", HIDDEN, 1)
    for i in range(depth):
        stem = f"blk.{i}."
        vector(stem + "attn_norm.weight", HIDDEN, 1)
        vector(stem + "ffn_norm.weight", HIDDEN, 1)
        for name, rows in (("attn_q", HEADS * DIM), ("attn_k", KV * DIM), ("attn_v", KV * DIM)):
            matrix(stem + name + ".weight", rows, HIDDEN)
            vector(stem + name + ".bias", rows, 0)
        matrix(stem + "attn_output.weight", HIDDEN, HEADS * DIM)
        matrix(stem + "ffn_gate.weight", INTER, HIDDEN)
        matrix(stem + "ffn_up.weight", INTER, HIDDEN)
        matrix(stem + "ffn_down.weight", HIDDEN, INTER)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    os.rename(path + ".part", path)
    return path


def ours_ms(folder, weights):
    line = subprocess.run([bench_layers, folder, str(tokens), "3", weights], check=True,
                          capture_output=True, text=True).stdout
    return json.loads(line)["ms"]


def llama_ms(path):
    program = os.path.join(llama, "build/bin/llama-bench")
    line = subprocess.run([program, "-m", path, "-p", str(tokens), "-n", "0", "-r", "3", "-t",
                           str(os.cpu_count()), "-b", str(tokens), "-ub", str(tokens), "-o",
                           "json"], check=True, capture_output=True, text=True).stdout
    return statistics.median(json.loads(line)[0]["samples_ns"]) * 1e-6


def torch_model(depth, dtype):
    config = Qwen2Config(hidden_size=HIDDEN, intermediate_size=INTER, num_attention_heads=HEADS,
                         num_key_value_heads=KV, num_hidden_layers=depth, vocab_size=VOCAB)
    return Qwen2Model._from_config(config, torch_dtype=dtype).eval()


def torch_ms(model):
    ids = torch.arange(tokens)[None] % VOCAB
    times = []
    with torch.inference_mode():
        for _ in range(4):
            begin = time.perf_counter()
            model(input_ids=ids, use_cache=False)
            times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times[1:])


def main():
    runs = {}
    for depth in DEPTHS:
        folder = make_omnitile(depth)
        for weights in ("stored", "int8"):
            runs["ours " + weights, depth] = lambda f=folder, w=weights: ours_ms(f, w)
        for kind in GGUF:
            path = make_gguf(depth, kind)
            runs["llama.cpp " + kind, depth] = lambda p=path: llama_ms(p)
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            model = torch_model(depth, dtype)
            runs["torch " + name, depth] = lambda m=model: torch_ms(m)
    times = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(run())
    layer = {}
    for name in {key[0] for key in runs}:
        each = [(b - a) / (DEPTHS[1] - DEPTHS[0])
                for a, b in zip(times[name, DEPTHS[0]], times[name, DEPTHS[1]])]
        layer[name] = round(statistics.median(each), 3)
    best = {peer: min(v for k, v in layer.items() if k.startswith(peer))
            for peer in ("llama.cpp", "torch")}
    print(json.dumps({"op": "text layer", "tokens": tokens, "ms": layer, "rounds": rounds,
                      "ratio_llama_f32_bf16": round(min(
                          layer["llama.cpp f32"], layer["llama.cpp bf16"])
                          / layer["ours stored"], 3),
                      "ratio_llama_q8_0_to_int8": round(
                          layer["llama.cpp q8_0"] / layer["ours int8"], 3),
                      "ratio_torch": round(best["torch"] / layer["ours stored"], 3)}))


main()
