"""Vectors of a checkpoint and of a LoRA adapter in transformers (PyPI) and here: the same?

    merged.py OMNITILE CHECKPOINT WORK                  a checkpoint, one that merge or train wrote
    merged.py OMNITILE CHECKPOINT WORK --adapter DIR    an adapter of it, and it merged
    merged.py OMNITILE CHECKPOINT WORK --make-adapter   the same with a random one that PEFT makes

Items: two texts, a picture, speech, a silent clip, a clip and its sound as two segments; those that
are made here are lossless and need no resizing, so that nothing but the model is compared. Theirs:
Thinker.from_pretrained() in f32 with eager attention, hidden states averaged and normalised; the
text attends in both directions where config.json says so. With an adapter: PeftModel on the
checkpoint, and Thinker on what `omnitile merge --dtype f32` and bf16 write; ours is `embed
--adapter` and `embed` of these. A line of JSON a comparison; exit status 1 if an element differs by
more than 1e-4, or if transformers finds a tensor missing or left over: lm_head alone may be missing from a
checkpoint that ties it (transformers 4.52.4 reports it all the same), not from what merge wrote."""
import argparse
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy
import soundfile
import torch
import transformers
from PIL import Image
from transformers import (AutoTokenizer, Qwen2_5OmniProcessor, Qwen2VLImageProcessor,
                          Qwen2VLVideoProcessor, WhisperFeatureExtractor)
from transformers import Qwen2_5OmniThinkerForConditionalGeneration as Thinker

INPUTS = Path(__file__).parent / "../../tests/golden/data/inputs"
LIMIT = 1e-4
FRAMES, SIDE, RATE = 8, 112, 16000  # of the clips: 4 s at 2 frames a second, all of them sampled
PIXELS = {"min_pixels": 32 * 14 * 14, "max_pixels": 64 * 28 * 28}


# ---- items ----

def make_items(work):
    """List lines of omnitile; media are made in `work`."""
    picture = Image.open(INPUTS / "img_photo_224x160.jpg").convert("RGB")
    picture.crop((0, 0, 224, 140)).save(work / "picture.png")
    speech, rate = soundfile.read(INPUTS / "aud_speech_16k.wav", dtype="float32")
    assert rate == RATE and speech.ndim == 1
    soundfile.write(work / "sound.wav", speech, RATE, subtype="FLOAT")
    soundfile.write(work / "clip.wav", numpy.resize(speech, 4 * RATE), RATE, subtype="FLOAT")
    y, x = numpy.mgrid[0:SIDE, 0:SIDE]
    frames = numpy.stack([numpy.stack([x * 2, y * 2, (x + y + 16 * i) % 256], 2)
                          for i in range(FRAMES)]).astype(numpy.uint8)
    numpy.save(work / "frames.npy", frames)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s",
                    f"{SIDE}x{SIDE}", "-r", "2", "-i", "-", "-i", work / "clip.wav", "-c:v", "png",
                    "-c:a", "pcm_f32le", work / "clip.mkv"], input=frames.tobytes(), check=True)
    return [{"id": "query", "text": "query: what is the capital of France"},
            {"id": "passage", "text": "passage: Paris is the capital of France. 巴黎是法国首都。"},
            {"id": "image", "content": [{"type": "text", "text": "passage: "},
                                        {"type": "image", "image": "picture.png"}]},
            {"id": "audio", "content": [{"type": "audio", "audio": "sound.wav"}]},
            {"id": "video", "content": [{"type": "video", "video": "clip.mkv"}]},
            {"id": "video+audio", "content": [{"type": "text", "text": "passage: "},
                                              {"type": "video", "video": "clip.mkv",
                                               "use_audio": "separate"}]}]


# ---- ours ----

def ours(omnitile, checkpoint, work, *options):
    run = subprocess.run([omnitile, "embed", "--quiet", "--backend", "openblas", "--role", "none",
                          "--model", checkpoint, "--input", work / "items.jsonl", *options],
                         check=True, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {line["id"]: numpy.asarray(line["embedding"]) for line in lines}


# ---- theirs ----

def processor_of(checkpoint):
    settings = json.load(open(checkpoint / "preprocessor_config.json"))
    picture = {key: settings[key] for key in ("min_pixels", "max_pixels", "patch_size",
                                              "temporal_patch_size", "merge_size", "image_mean",
                                              "image_std")}
    sound = {key: settings[key] for key in ("feature_size", "sampling_rate", "hop_length",
                                            "chunk_length", "n_fft", "padding_value",
                                            "return_attention_mask")}
    template = json.load(open(checkpoint / "chat_template.json"))["chat_template"]
    return Qwen2_5OmniProcessor(image_processor=Qwen2VLImageProcessor(**picture),
                                video_processor=Qwen2VLVideoProcessor(**picture),
                                feature_extractor=WhisperFeatureExtractor(**sound),
                                tokenizer=AutoTokenizer.from_pretrained(checkpoint),
                                chat_template=template)


def inputs_of(processor, item, work):
    """What the model is called with."""
    content = item.get("content") or [{"type": "text", "text": item["text"]}]
    content = [part for given in content for part in
               ([given, {"type": "audio", "audio": "clip.wav"}] if "use_audio" in given else [given])]
    files = {kind: [part[kind] for part in content if part["type"] == kind]
             for kind in ("image", "audio", "video")}
    prompt = processor.apply_chat_template([{"role": "user", "content": content}],
                                           add_generation_prompt=False, tokenize=False)
    frames = torch.from_numpy(numpy.load(work / "frames.npy")).permute(0, 3, 1, 2)
    return processor(text=prompt if isinstance(prompt, list) else [prompt],
                     images=[Image.open(work / name) for name in files["image"]] or None,
                     videos=[frames for _ in files["video"]] or None,
                     audio=[soundfile.read(work / name, dtype="float32")[0]
                            for name in files["audio"]] or None,
                     return_tensors="pt", videos_kwargs={**PIXELS, "use_audio_in_video": False},
                     audio_kwargs={"max_length": 2048000})


def attend_both_ways(model, config):
    """Nothing but padding is masked, unless the architecture is the causal one."""
    causal = config["architectures"][0].startswith("Qwen2_5OmniThinker")
    if config.get("is_causal", config.get("text_config", {}).get("is_causal", causal)):
        return model

    def mask(attention_mask, input_tensor, *_, **__):
        hidden = torch.finfo(input_tensor.dtype).min * (attention_mask == 0)
        return hidden[:, None, None, :].expand(-1, 1, attention_mask.shape[1], -1)

    model.model._update_causal_mask = mask
    return model


def load(checkpoint):
    """The model, and what transformers has to say of its tensors."""
    model, said = Thinker.from_pretrained(checkpoint, torch_dtype=torch.float32,
                                          attn_implementation="eager", output_loading_info=True)
    found = {key: sorted(value) for key, value in said.items() if value}
    return attend_both_ways(model.eval(), json.load(open(checkpoint / "config.json"))), found


def theirs(model, processor, items, work):
    vectors = {}
    for item in items:
        inputs = inputs_of(processor, item, work)
        with torch.inference_mode():
            out = model(**inputs, output_hidden_states=True, use_cache=False)
        mean = out.hidden_states[-1][0].mean(0)
        vectors[item["id"]] = (mean / mean.norm()).numpy()
    return vectors


# ---- both ----

class Report:
    def __init__(self, checkpoint):
        self.bad = False
        self.common = {"checkpoint": str(checkpoint), "transformers": transformers.__version__,
                       "torch": torch.__version__, "date": time.strftime("%Y-%m-%d", time.gmtime())}

    def line(self, what, good, **values):
        self.bad |= not good
        print(json.dumps({"what": what, "ok": bool(good), **values, **self.common}), flush=True)

    def compare(self, what, mine, peers):
        differ = {key: float(numpy.abs(mine[key] - peers[key]).max()) for key in peers}
        self.line(what, max(differ.values()) <= LIMIT,
                  max_abs={key: float(f"{value:.3g}") for key, value in differ.items()})


def compare_checkpoint(given, report, what, checkpoint, items):
    model, found = load(checkpoint)
    tied = json.load(open(checkpoint / "config.json")).get("tie_word_embeddings")
    good = not found or (tied and what == "checkpoint" and
                         found == {"missing_keys": ["lm_head.weight"]})
    report.line(f"{what}: tensors", good, found=found)
    vectors = theirs(model, processor_of(checkpoint), items, given.work)
    report.compare(what, ours(given.omnitile, checkpoint, given.work), vectors)


def make_adapter(model, folder):
    """Of two projections in every tower, two ranks and alphas; B is not zeros."""
    import peft
    torch.manual_seed(1)
    config = peft.LoraConfig(r=4, lora_alpha=8, init_lora_weights=False, use_rslora=True,
                             target_modules=["q_proj", "down_proj", "v"],
                             rank_pattern={"mlp.down_proj": 3}, alpha_pattern={"q_proj": 5})
    peft.get_peft_model(model, config).save_pretrained(folder)


def compare_adapter(given, report, items):
    import peft
    report.common["peft"] = peft.__version__
    adapter = given.adapter
    if given.make_adapter:
        adapter = given.work / "adapter"
        make_adapter(load(given.checkpoint)[0], adapter)
    model, _ = load(given.checkpoint)
    processor = processor_of(given.checkpoint)
    plain = theirs(model, processor, items, given.work)
    adapted = peft.PeftModel.from_pretrained(model, adapter)
    there = peft.get_peft_model_state_dict(adapted)
    report.line("PEFT loads the adapter", len(there) > 0, tensors=len(there))
    peers = theirs(adapted, processor, items, given.work)
    mine = ours(given.omnitile, given.checkpoint, given.work, "--adapter", adapter)
    report.compare("embed --adapter to PEFT", mine, peers)
    moved = min(float(numpy.abs(mine[key] - plain[key]).max()) for key in plain)
    report.line("the adapter changes every vector", moved > LIMIT, max_abs=moved)
    for dtype in ("f32", "bf16"):
        merged = given.work / f"merged-{dtype}"
        subprocess.run(["rm", "-rf", merged], check=True)
        subprocess.run([given.omnitile, "merge", "--quiet", "--model", given.checkpoint,
                        "--adapter", adapter, "--output", merged, "--dtype", dtype], check=True)
        compare_checkpoint(given, report, f"merged, {dtype}", merged, items)
        if dtype == "f32":
            report.compare("merged, f32, to PEFT", ours(given.omnitile, merged, given.work), peers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, text in (("omnitile", "the program"), ("checkpoint", "folder"),
                       ("work", "folder for media and what is merged")):
        parser.add_argument(name, type=Path, help=text)
    parser.add_argument("--adapter", type=Path, help="of the checkpoint")
    parser.add_argument("--make-adapter", action="store_true", help="one that PEFT makes")
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.disable(logging.WARNING)  # of a system prompt that is not the speaking model's
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    given.work.mkdir(parents=True, exist_ok=True)
    items = make_items(given.work)
    (given.work / "items.jsonl").write_text("".join(json.dumps(i) + "\n" for i in items))
    report = Report(given.checkpoint)
    compare_checkpoint(given, report, "checkpoint", given.checkpoint, items)
    if given.adapter or given.make_adapter:
        compare_adapter(given, report, items)
    return report.bad


sys.exit(main())
