"""Text layers of the real width beside llama.cpp's and PyTorch's, on the same cores, in turn.

    text.py PEERS OMNITILE BENCH_LAYERS WORK [--part llama.cpp|torch] [--rounds N] [--prepare]

512 tokens; layers are measured between models of 4 and 8, because llama-bench computes most of the
last layer for one token only. All three read the same random weights (bf16 values) and, for the
cosines, the same tokens, bidirectionally as the model is. For time, peers attend causally, their
fast path, which is half of our attention. llama.cpp: f32, bf16 and q8_0. PyTorch: transformers'
Qwen2_5OmniThinkerTextModel, f32 and bf16, SDPA and eager. WORK takes 13 GB."""
import json
import os
import subprocess
import sys

import numpy
import torch
from transformers import AutoTokenizer
from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni as omni
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniTextConfig

import common

TOKENS, DEPTHS = 512, (4, 8)
TEMPLATE = 20  # of these tokens are the chat template's
SHAPE = {"hidden_size": 2048, "intermediate_size": 11008, "num_attention_heads": 16,
         "num_key_value_heads": 2,
         "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default",
                          "type": "default"}}
GGUF_KINDS = {"f32": "F32", "bf16": "BF16", "q8_0": "Q8_0"}
GGUF_NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
              "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
              "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
              "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}


def checkpoint(given, depth):
    text = SHAPE | {"num_hidden_layers": depth, "max_window_layers": depth}
    return common.make_checkpoint(given, f"text{depth}", text_config=text,
                                  vision_config={"out_hidden_size": SHAPE["hidden_size"]},
                                  audio_config={"output_dim": SHAPE["hidden_size"]})


# ---- the text that gives the cosines ----

def text_and_ids():
    """Digits, one token each, and the TOKENS tokens that they are inside the chat template."""
    tokenizer = AutoTokenizer.from_pretrained(common.TINY)
    text = "".join(str(x) for x in numpy.random.default_rng(1).integers(0, 10, TOKENS - TEMPLATE))
    template = json.load(open(common.TINY / "chat_template.json"))["chat_template"]
    ids = tokenizer.apply_chat_template([{"role": "user", "content": text}],
                                        chat_template=template)
    assert len(ids) == TOKENS
    return text, ids


# ---- llama.cpp ----

class Llama:
    def __init__(self, given):
        self.given = given
        self.folder = os.path.join(given.peers, "src/vendor/llama.cpp")
        self.paths = {(depth, kind): self.make_gguf(depth, kind)
                      for depth in DEPTHS for kind in GGUF_KINDS}

    def make_gguf(self, depth, kind):
        """Our checkpoint's weights in llama.cpp's format."""
        path = os.path.join(self.given.work, f"text{depth}-{kind}.gguf")
        if os.path.exists(path):
            return path
        sys.path.insert(0, os.path.join(self.folder, "gguf-py"))
        import gguf
        weights = common.tensors(checkpoint(self.given, depth), "model.")
        out = gguf.GGUFWriter(path + ".part", "qwen2")
        out.add_block_count(depth)
        out.add_context_length(4096)
        out.add_embedding_length(SHAPE["hidden_size"])
        out.add_feed_forward_length(SHAPE["intermediate_size"])
        out.add_head_count(SHAPE["num_attention_heads"])
        out.add_head_count_kv(SHAPE["num_key_value_heads"])
        out.add_rope_freq_base(1e6)
        out.add_layer_norm_rms_eps(1e-6)
        out.add_vocab_size(weights["embed_tokens.weight"].shape[0])
        out.add_tokenizer_model("no_vocab")
        for name, value in weights.items():
            if name == "embed_tokens.weight":
                name = "token_embd.weight"
            elif name == "norm.weight":
                name = "output_norm.weight"
            else:
                _, layer, *stem, end = name.split(".")
                name = f"blk.{layer}.{GGUF_NAMES['.'.join(stem)]}.{end}"
            stored = gguf.GGMLQuantizationType[GGUF_KINDS[kind] if value.dim() > 1 else "F32"]
            out.add_tensor(name, gguf.quants.quantize(value.numpy(), stored), raw_dtype=stored)
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_tensors_to_file()
        out.close()
        os.rename(path + ".part", path)
        return path

    def ms(self, depth, kind):
        count, threads = str(TOKENS), str(os.cpu_count())
        line = subprocess.run([os.path.join(self.folder, "build/bin/llama-bench"), "-m",
                               self.paths[depth, kind], "-p", count, "-n", "0", "-r", "1", "-t",
                               threads, "-b", count, "-ub", count, "-o", "json"], check=True,
                              capture_output=True, text=True).stdout
        return json.loads(line)[0]["samples_ns"][0] * 1e-6

    def vector(self, kind, ids):
        program = os.path.join(os.path.dirname(__file__), "llama_vector.py")
        line = subprocess.run([sys.executable, program, self.given.peers,
                               self.paths[DEPTHS[1], kind], json.dumps(ids)], check=True,
                              capture_output=True, text=True).stdout
        return json.loads(line)


def measure_llama(given, runs, ids, reference):
    llama = Llama(given)
    if given.prepare:
        return {}
    for kind in GGUF_KINDS:
        runs[f"llama.cpp {kind}"] = lambda depth, k=kind: llama.ms(depth, k)
    return {f"llama.cpp {kind}": common.cosine(llama.vector(kind, ids), reference)
            for kind in GGUF_KINDS}


# ---- PyTorch ----

def torch_models(given, **which):
    config = Qwen2_5OmniTextConfig(**SHAPE, num_hidden_layers=DEPTHS[1], vocab_size=4224,
                                   rope_theta=1e6, rms_norm_eps=1e-6)
    state = common.tensors(checkpoint(given, DEPTHS[1]), "model.")
    return common.torch_models(omni.Qwen2_5OmniThinkerTextModel, config, state, **which)


def torch_vector(model, ids):
    return common.torch_mean(model, input_ids=torch.tensor(ids)[None])


def measure_torch(given, runs, ids, reference):
    def call(model):
        model(input_ids=torch.arange(TOKENS)[None], use_cache=False)

    cosines = {}
    for (kind, attention), model in torch_models(given).items():
        name = f"torch {kind} {attention}"
        runs[name] = lambda depth, m=model: common.torch_ms(m, "layers", depth, call)
        cosines[name] = common.cosine(torch_vector(model, ids), reference)
    return cosines


MEASURE = {"llama.cpp": measure_llama, "torch": measure_torch}


def main():
    given = common.arguments(__doc__.splitlines()[0], *MEASURE)
    folders = {depth: checkpoint(given, depth) for depth in DEPTHS}
    text, ids = text_and_ids()
    exact, = torch_models(given, kinds=["f32"], attentions=["sdpa"]).values()
    reference = torch_vector(exact, ids)
    del exact
    for part in given.part:
        runs = {f"ours {w}": lambda depth, w=w: common.ours_ms(given, folders[depth],
                                                              TOKENS - TEMPLATE, w)
                for w in common.OURS}
        cosines = MEASURE[part](given, runs, ids, reference)
        if given.prepare:
            continue
        cosines |= common.ours_cosines(given, folders[DEPTHS[1]], ["--text", text], reference)
        ms = common.alternate(runs, given.rounds, DEPTHS)
        common.report({"op": "text layer", "tokens": TOKENS}, part, ms, cosines, given.rounds)


main()
