"""What text.py and media.py share: checkpoints of the real width, our side of a comparison,
alternated rounds.

The time of a layer is the difference between a deep and a shallow model divided by the layers
between them, so that what stands around the layers cancels out. Every program starts after the
cores are idle (threads of OpenMP and OpenBLAS spin a while after their last task). Options that all
scripts share are read here."""
import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy
import torch
import transformers
from safetensors.torch import load_file
from transformers.modeling_utils import no_init_weights

from settle import settle

TINY = Path(__file__).parent / "../../tests/golden/data/tiny"
OURS = ("stored", "bf16", "int8")  # --weights: bf16 by f32, bf16 by bf16, int8 by int8
KINDS = {"f32": torch.float32, "bf16": torch.bfloat16}
ATTENTION = ("sdpa", "eager")


def arguments(description, *parts):
    parser = argparse.ArgumentParser(description=description)
    for name, text in (("peers", "folder of bench/peers/setup.sh"), ("omnitile", "the program"),
                       ("bench_layers", "the program"), ("work", "folder for checkpoints")):
        parser.add_argument(name, help=text)
    parser.add_argument("--part", choices=parts, action="append", help="only this (all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prepare", action="store_true", help="make the files, measure nothing")
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()
    given.part = given.part or list(parts)
    os.environ["OMT_CACHE_DIR"] = os.path.join(os.path.abspath(given.work), "cache")
    torch.set_num_threads(os.cpu_count())
    return given


# ---- our side ----

def make_checkpoint(given, name, **changes):
    """A checkpoint like the test one, with these changes to its text_config and so on."""
    folder = Path(given.work) / name
    if not (folder / "config.json").exists():
        config = json.load(open(TINY / "config.json"))
        for key, change in changes.items():
            config[key].update(change)
        like = Path(given.work) / f"{name}.json"
        like.write_text(json.dumps(config))
        subprocess.run([given.omnitile, "synth", "--quiet", "--like", like, "--tokenizer", TINY,
                        "--output", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def tensors(folder, prefix):
    """The tensors below a prefix, f32."""
    found = {}
    for shard in sorted(folder.glob("*.safetensors")):
        found |= {name[len(prefix):]: value.float() for name, value in load_file(shard).items()
                  if name.startswith(prefix)}
    return found


def ours_ms(given, folder, item, weights):
    line = subprocess.run([given.bench_layers, folder, str(item), "1", weights], check=True,
                          capture_output=True, text=True).stdout
    return json.loads(line)["ms"]


def cosine(a, b):
    a, b = (numpy.asarray(v, dtype=numpy.float64).ravel() for v in (a, b))
    return round(float(a @ b / numpy.sqrt((a @ a) * (b @ b))), 8)


def ours_cosines(given, folder, item, reference=None):
    """Of the item's vector to the reference, or to what backend openblas computes in f32."""
    def vector(*options):
        line = subprocess.run([given.omnitile, "embed", "--quiet", "--role", "none", "--model",
                               folder, *options, *item], check=True, capture_output=True)
        return json.loads(line.stdout.splitlines()[0])["embedding"]

    if reference is None:
        reference = vector("--backend", "openblas")
    return {f"ours {w}": cosine(vector("--backend", "opencl", "--weights", w), reference)
            for w in OURS}


# ---- PyTorch ----

def torch_models(make, config, state, kinds=tuple(KINDS), attentions=ATTENTION):
    """{(kind, attention): model} of transformers' class with these weights, which are shared."""
    models = {}
    for kind in kinds:
        dtype = KINDS[kind]
        cast = {name: value.to(dtype) for name, value in state.items()}
        for attention in attentions:
            with no_init_weights():
                model = make._from_config(config, attn_implementation=attention,
                                          torch_dtype=dtype)
            model.load_state_dict(cast, strict=True, assign=True)
            models[kind, attention] = model.eval()
    return models


def torch_mean(text_model, **inputs):
    """The mean of a text model's last states, attended in both directions: the item's vector."""
    count = next(iter(inputs.values())).shape[1]
    every = torch.zeros(1, 1, count, count, dtype=text_model.dtype)
    with torch.inference_mode():
        out = text_model(attention_mask=every, use_cache=False, **inputs)
    return out.last_hidden_state[0].double().mean(0).numpy()


def torch_ms(model, layers, depth, call):
    """The second of two runs through the first `depth` of the model's `layers`."""
    whole = getattr(model, layers)
    setattr(model, layers, whole[:depth])
    with torch.inference_mode():
        for _ in range(2):
            begin = time.perf_counter()
            call(model)
            took = 1e3 * (time.perf_counter() - begin)
    setattr(model, layers, whole)
    return took


# ---- both ----

def alternate(runs, rounds, depths):
    """Median milliseconds a layer for each name of runs {name: call of a depth}."""
    layer = {name: [] for name in runs}
    for at in range(rounds):
        names = list(runs)
        for name in names[at % len(names):] + names[:at % len(names)]:
            times = []
            for depth in depths:
                settle()
                times.append(runs[name](depth))
            layer[name].append((times[1] - times[0]) / (depths[1] - depths[0]))
    return {name: round(statistics.median(times), 3) for name, times in layer.items()}


def report(what, peer, ms, cosines, rounds):
    """One line of JSON. ratio: for each of the peer's kinds, its time to that of our fastest kind
    at equal or better precision; ratio_least: the least of these. Equal: 1 - cosine within a tenth
    (two kinds of bf16 differ by their order of additions), or below what f32 itself loses."""
    ratios = {}
    for name in (n for n in ms if n.startswith(peer)):
        most = 1.1 * (1 - cosines[name]) + 2e-8
        ours = [n for n in ms if n.startswith("ours") and 1 - cosines[n] <= most]
        if ours:
            mine = min(ours, key=ms.get)
            ratios[f"{name} / {mine}"] = round(ms[name] / ms[mine], 3)
    print(json.dumps(what | {"ms": ms, "cosine_to_f32": cosines, "ratio": ratios,
                             "ratio_least": min(ratios.values()), "rounds": rounds,
                             "threads": os.cpu_count(), "torch": torch.__version__,
                             "transformers": transformers.__version__}), flush=True)
