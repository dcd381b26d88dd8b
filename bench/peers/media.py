"""Blocks of the vision and audio encoders of the real width beside PyTorch's, same cores, in turn.

    media.py PEERS OMNITILE BENCH_LAYERS WORK [--part image|audio] [--rounds N] [--prepare]

A picture of 448 x 448 (1,024 patches) and 30 s of sound (1,500 frames after the convolutions).
Blocks are measured between encoders of 2 and 10 (vision: one of these 8 attends fully, 7 in
windows, as 4 and 28 of the model's 32 do) and of 2 and 6 (audio), so that patches, convolutions,
merger and the text model behind cancel out. PyTorch: transformers' Qwen2_5OmniVisionEncoder and
Qwen2_5OmniAudioEncoder, f32 and bf16, SDPA and eager; no torch.compile. Cosines are of the mean
behind one narrow text layer: PyTorch's (layer in f32) to its own f32, ours (layer as the rest, chat
template around) to our backend openblas. WORK takes 4 GB."""
import numpy
import soundfile
import torch
from PIL import Image
from transformers import Qwen2VLImageProcessor, WhisperFeatureExtractor
from transformers.models.qwen2_5_omni import configuration_qwen2_5_omni as configs
from transformers.models.qwen2_5_omni import modeling_qwen2_5_omni as omni

import common

INPUTS = common.TINY / "../inputs"
TEXT = {"hidden_size": 2048, "intermediate_size": 256, "num_attention_heads": 16,
        "num_key_value_heads": 2, "num_hidden_layers": 1, "max_window_layers": 1,
        "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default",
                         "type": "default"}}
VISION = {"hidden_size": 1280, "embed_dim": 1280, "intermediate_size": 3420, "num_heads": 16,
          "out_hidden_size": 2048, "fullatt_block_indexes": [7]}
AUDIO = {"d_model": 1280, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
         "output_dim": 2048}
SIDE, SECONDS, RATE = 448, 30, 16000


# ---- media ----

def make_picture(path):
    if not path.exists():
        Image.open(INPUTS / "img_big_640x480.jpg").resize((SIDE, SIDE)).save(path)


def make_sound(path):
    if not path.exists():
        speech, rate = soundfile.read(INPUTS / "aud_speech_16k.wav", dtype="float32")
        assert rate == RATE and speech.ndim == 1
        soundfile.write(path, numpy.resize(speech, SECONDS * RATE), RATE)


# ---- PyTorch ----

def vision_inputs(path):
    prepare = Qwen2VLImageProcessor.from_pretrained(common.TINY)
    ready = prepare(images=[Image.open(path)], return_tensors="pt")
    return {"hidden_states": ready["pixel_values"], "grid_thw": ready["image_grid_thw"]}


def audio_inputs(path):
    samples, rate = soundfile.read(path, dtype="float32")
    prepare = WhisperFeatureExtractor.from_pretrained(common.TINY)
    mel = prepare(samples, sampling_rate=rate, padding="longest", return_tensors="pt")
    frames = mel["input_features"].shape[2]
    return {"input_features": mel["input_features"][0], "feature_lens": torch.tensor([frames]),
            "aftercnn_lens": torch.tensor([frames // 2])}


def call(model, inputs):
    cast = {name: value.to(model.dtype) if value.is_floating_point() else value
            for name, value in inputs.items()}
    return model(**cast)


def text_layer(folder):
    shape = {key: value for key, value in TEXT.items() if key != "max_window_layers"}
    config = configs.Qwen2_5OmniTextConfig(**shape, vocab_size=4224, rope_theta=1e6,
                                           rms_norm_eps=1e-6)
    model, = common.torch_models(omni.Qwen2_5OmniThinkerTextModel, config,
                                 common.tensors(folder, "model."), ["f32"], ["sdpa"]).values()
    return model


def torch_vector(model, inputs, text):
    with torch.inference_mode():
        out = call(model, inputs)
    states = out if isinstance(out, torch.Tensor) else out.last_hidden_state
    return common.torch_mean(text, inputs_embeds=states.float()[None])


# ---- both ----

PARTS = {
    "image": {"op": "vision block", "tower": "vision", "depth_key": "depth", "depths": (2, 10),
              "prefix": "visual.", "layers": "blocks", "make": omni.Qwen2_5OmniVisionEncoder,
              "config": configs.Qwen2_5OmniVisionEncoderConfig, "shape": VISION,
              "inputs": vision_inputs, "file": f"{SIDE}.png", "make_file": make_picture},
    "audio": {"op": "audio layer", "tower": "audio", "depth_key": "encoder_layers",
              "depths": (2, 6), "prefix": "audio_tower.", "layers": "layers",
              "make": omni.Qwen2_5OmniAudioEncoder,
              "config": configs.Qwen2_5OmniAudioEncoderConfig, "shape": AUDIO,
              "inputs": audio_inputs, "file": f"{SECONDS}s.wav", "make_file": make_sound},
}


def checkpoint(given, part, depth):
    changes = {"text_config": TEXT, "vision_config": {"out_hidden_size": 2048},
               "audio_config": {"output_dim": 2048}}
    changes[f"{part['tower']}_config"] = part["shape"] | {part["depth_key"]: depth}
    return common.make_checkpoint(given, f"{part['tower']}{depth}", **changes)


def measure(given, part):
    shallow, deep = part["depths"]
    folders = {depth: checkpoint(given, part, depth) for depth in part["depths"]}
    item = folders[deep].parent / part["file"]
    part["make_file"](item)
    if given.prepare:
        return
    models = common.torch_models(part["make"],
                                 part["config"](**part["shape"], **{part["depth_key"]: deep}),
                                 common.tensors(folders[deep], part["prefix"]))
    runs = {f"ours {w}": lambda depth, w=w: common.ours_ms(given, folders[depth], item, w)
            for w in common.OURS}
    cosines = common.ours_cosines(given, folders[deep], [item])
    inputs, text = part["inputs"](item), text_layer(folders[deep])
    reference = torch_vector(models["f32", "sdpa"], inputs, text)
    for (kind, attention), model in models.items():
        name = f"torch {kind} {attention}"
        runs[name] = lambda depth, m=model: common.torch_ms(m, part["layers"], depth,
                                                            lambda short: call(short, inputs))
        cosines[name] = common.cosine(torch_vector(model, inputs, text), reference)
    ms = common.alternate(runs, given.rounds, part["depths"])
    common.report({"op": part["op"], "file": part["file"]}, "torch", ms, cosines, given.rounds)


def main():
    given = common.arguments(__doc__.splitlines()[0], *PARTS)
    for name in given.part:
        measure(given, PARTS[name])


main()
