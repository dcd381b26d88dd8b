"""Our preparation of pictures and sound beside the reference's processors, one thread each, in turn.

    prep.py BENCH_PREP CHECKPOINT FOLDER [ROUNDS]

Peers, as the model's reference calls them: PIL and qwen_omni_utils' smart_resize, then the better of
transformers' Qwen2VLImageProcessor and Qwen2VLImageProcessorFast; soundfile and soxr as librosa uses
them, then WhisperFeatureExtractor. Media are made in FOLDER from Debian's packages: mosaics of
tuxpaint-stamps-default, phrases of asterisk-core-sounds-en-wav one after the other.

A line of JSON a file: medians of the rounds in milliseconds, ours and theirs, and their ratio; from
the file, and from decoded RGB or samples at 16 kHz on. Both end with normalised f32 patches: ours
are cut on the device (patches_ms, PoCL on one core), which counts as preparation here. OMT_CPU=avx2
or generic sets our code path."""
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
import soundfile
import soxr
import torch
import transformers
from PIL import Image
from transformers import Qwen2VLImageProcessor, Qwen2VLImageProcessorFast, WhisperFeatureExtractor

torch.set_num_threads(1)
STAMPS = Path("/usr/share/tuxpaint/stamps")
PHRASES = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
MAX_SAMPLES = 2048000  # Omni-Embed's audio_kwargs: 128 s at 16 kHz


# ---- media ----

def make_picture(path, width, height):
    """Photographs side by side, 448 pixels each at most: detail as sharp as the originals'."""
    if path.exists():
        return
    cell = min(448, width)
    canvas = Image.new("RGB", (width, height), "white")
    stamps = sorted(STAMPS.rglob("*.png"), key=lambda f: (-f.stat().st_size, f.name))
    at = 0
    for y in range(0, height, cell):
        for x in range(0, width, cell):
            stamp = Image.open(stamps[at % 200]).convert("RGBA")
            stamp = stamp.resize((cell, cell), Image.BICUBIC)
            canvas.paste(stamp, (x, y), stamp)
            at += 1
    canvas.save(path, quality=90)


def make_sound(path, seconds, rate, channels):
    """Phrases joined; at their own 8 kHz, or resampled and spread over channels."""
    if path.exists():
        return
    parts, count = [], 0
    for phrase in sorted(PHRASES.rglob("*.wav")):
        samples, own = soundfile.read(phrase, dtype="float32")
        parts.append(samples)
        count += len(samples)
        if count >= seconds * own:
            break
    joined = np.concatenate(parts)[:seconds * own]
    if rate != own:
        joined = soxr.resample(joined, own, rate)
    joined = np.stack([joined * (1 - 0.2 * c) for c in range(channels)], 1)
    soundfile.write(path, joined, rate)


# ---- the reference ----

def smart_resize(height, width, factor=28, least=4 * 784, most=16384 * 784):
    h, w = max(factor, round(height / factor) * factor), max(factor, round(width / factor) * factor)
    if h * w > most:
        beta = math.sqrt(height * width / most)
        h, w = math.floor(height / beta / factor) * factor, math.floor(width / beta / factor) * factor
    elif h * w < least:
        beta = math.sqrt(least / (height * width))
        h, w = math.ceil(height * beta / factor) * factor, math.ceil(width * beta / factor) * factor
    return h, w


def decode_picture(path):
    """qwen_omni_utils' fetch_image up to its resize."""
    image = Image.open(path)
    if image.mode == "RGBA":
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.split()[3])
        return white
    return image.convert("RGB")


def decode_sound(path):
    """librosa.load(path, sr=16000)."""
    samples, rate = soundfile.read(path, dtype="float32")
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    return samples if rate == 16000 else soxr.resample(samples, rate, 16000, quality="HQ")


class Reference:
    def __init__(self, checkpoint):
        settings = json.load(open(f"{checkpoint}/preprocessor_config.json"))
        keys = ("min_pixels", "max_pixels", "patch_size", "temporal_patch_size", "merge_size",
                "image_mean", "image_std")
        picture = {key: settings[key] for key in keys}
        self.pictures = {"slow": Qwen2VLImageProcessor(**picture),
                         "fast": Qwen2VLImageProcessorFast(**picture)}
        keys = ("feature_size", "sampling_rate", "hop_length", "chunk_length", "n_fft",
                "padding_value", "dither", "return_attention_mask")
        self.sound = WhisperFeatureExtractor(**{key: settings[key] for key in keys})

    def image(self, decoded, which):
        height, width = smart_resize(decoded.height, decoded.width)
        resized = decoded.resize((width, height))
        return self.pictures[which](images=[resized], return_tensors="pt")["pixel_values"]

    def audio(self, samples, which):
        """Padded to 128 s as the model's processor asks for, or only as long as the sound is."""
        padded = {"padding": "max_length", "max_length": MAX_SAMPLES}
        length = padded if which == "padded" else {"padding": "longest"}
        out = self.sound([samples], sampling_rate=16000, return_attention_mask=True,
                         return_tensors="pt", truncation=which == "padded", **length)
        return out["input_features"]


def timed(call, *given):
    begin = time.perf_counter()
    result = call(*given)
    return 1e3 * (time.perf_counter() - begin), result


def measure_reference(reference, kind, path, which):
    decode_ms, decoded = timed(decode_picture if kind == "image" else decode_sound, path)
    prep_ms, _ = timed(getattr(reference, kind), decoded, which)
    return decode_ms, prep_ms


# ---- both ----

VARIANTS = {"image": ("slow", "fast"), "audio": ("padded", "longest")}


def measure(program, checkpoint, reference, kind, path, rounds, repeats):
    ours, theirs = [], {which: [] for which in VARIANTS[kind]}
    for which in theirs:
        measure_reference(reference, kind, path, which)  # warm
    for _ in range(rounds):
        run = [program, kind, checkpoint, str(path), str(repeats)]
        ours.append(json.loads(subprocess.run(run, check=True, capture_output=True).stdout))
        for which, times in theirs.items():
            once = [measure_reference(reference, kind, path, which) for _ in range(repeats)]
            times.append([statistics.median(part) for part in zip(*once)])
    mine = {key: statistics.median(line[key] for line in ours)
            for key in ("ms", "decode_ms", "pixels_ms", "patches_ms", "prep_ms")}
    record = {"kind": kind, "file": path.name, "cpu": ours[0]["cpu"],
              **{key: round(value, 3) for key, value in mine.items()}}
    for which, times in theirs.items():
        decode, prep = (statistics.median(part) for part in zip(*times))
        total = statistics.median(sum(part) for part in times)
        record |= {f"{which}_ms": round(total, 3), f"{which}_decode_ms": round(decode, 3),
                   f"{which}_prep_ms": round(prep, 3)}
    best = min(VARIANTS[kind], key=lambda which: record[f"{which}_ms"])
    record |= {"peer": best, "ratio_file": round(record[f"{best}_ms"] / mine["ms"], 2),
               "ratio_prep": round(min(record[f"{which}_prep_ms"] for which in theirs)
                                   / mine["prep_ms"], 2)}
    if kind == "audio":  # the same work as the model's processor does
        record |= {"ratio_file_padded": round(record["padded_ms"] / mine["ms"], 2),
                   "ratio_prep_padded": round(record["padded_prep_ms"] / mine["prep_ms"], 2)}
    print(json.dumps(record | {"rounds": rounds, "torch": torch.__version__,
                               "transformers": transformers.__version__}), flush=True)


def main():
    program, checkpoint, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for width, height, suffix, repeats in ((448, 448, "jpg", 9), (448, 448, "png", 9),
                                           (1920, 1080, "jpg", 3), (4000, 3000, "jpg", 1)):
        files.append(("image", folder / f"mosaic_{width}x{height}.{suffix}", repeats))
        make_picture(files[-1][1], width, height)
    for seconds, rate, channels, suffix, repeats in ((30, 16000, 1, "wav", 3),
                                                     (30, 44100, 2, "flac", 3),
                                                     (128, 16000, 1, "wav", 1),
                                                     (128, 8000, 1, "wav", 1)):
        name = f"phrases_{seconds}s_{rate}_{channels}.{suffix}"
        files.append(("audio", folder / name, repeats))
        make_sound(files[-1][1], seconds, rate, channels)
    reference = Reference(checkpoint)
    for kind, path, repeats in files:
        measure(program, checkpoint, reference, kind, path, rounds, repeats)


main()
