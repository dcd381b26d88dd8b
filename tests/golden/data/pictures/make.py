"""Pictures in many formats and the CRC-32 of their RGB as Pillow gives it (the two loaders of
goldens/DETAILS.md, "Image").  usage: make.py; written by Pillow 13.0.0, numpy 2.4.6"""
import json, struct, zlib
import numpy as np
from PIL import Image, ImageOps

H, W = 19, 27
rng = np.random.default_rng(1)
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([x * 255 // W, y * 255 // H, x * y % 256], -1) * .8 + rng.integers(0, 50, (H, W, 3))
image = Image.fromarray(rgb.astype(np.uint8))
grey, alpha = image.convert("L"), image.convert("L").rotate(180)
palette, rgba = image.quantize(16), image.copy()
rgba.putalpha(alpha)
names = []

def save(name, picture, **options):
    picture.save(name, **options)
    names.append(name)

def save_png16(name, values, colour_type):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", W, H, 16, colour_type, 0, 0, 0)
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    names.append(name)

wide = rng.integers(0, 65536, (H, W, 4)).astype(np.uint16)
wide[::2, :, 0] //= 300
for name, channels, colour_type in (("grey16", [0], 0), ("rgb16", [0, 1, 2], 2), ("la16", [0, 3], 4), ("rgba16", [0, 1, 2, 3], 6)):
    save_png16(name + ".png", wide[..., channels], colour_type)
save("bits1.png", image.convert("1"))
save("la.png", Image.merge("LA", (grey, alpha)))
save("key_rgb.png", image, transparency=tuple(int(v) for v in image.getpixel((4, 3))))
save("key_grey.png", grey, transparency=grey.getpixel((4, 3)))
save("key_palette.png", palette, transparency=5)
save("hidden.gif", palette, transparency=5)
save("moving.gif", palette, save_all=True, append_images=[palette.rotate(180)])
save("moving.png", image, save_all=True, append_images=[image.rotate(180)])
save("lossy.webp", image, quality=60)
save("lossy_alpha.webp", rgba, quality=60)
save("lossless_alpha.webp", rgba, lossless=True)
save("rgb.bmp", image)
save("rgb.ppm", image)
save("chroma420.jpg", image, quality=80, subsampling=2)
save("chroma422.jpg", image, quality=80, subsampling=1)
save("cmyk.jpg", image.convert("CMYK"))
for turn in range(2, 9):
    exif = Image.Exif()
    exif[0x112] = turn
    save(f"turned{turn}.jpg", image, exif=exif, quality=60)
save("turned8.png", image, exif=exif)
save("turned8.webp", image, exif=exif, lossless=True)

def card(picture):
    if picture.mode == "RGBA":
        white = Image.new("RGB", picture.size, (255, 255, 255))
        white.paste(picture, mask=picture.split()[3])
        return white
    return picture.convert("RGB")

def entry(picture):
    return {"size": list(picture.size), "crc32": f"{zlib.crc32(np.asarray(picture).tobytes()):08x}"}

with open("pictures.jsonl", "w") as file:
    for name in names:
        line = {"file": name, "card": entry(card(Image.open(name))),
                "hfload": entry(ImageOps.exif_transpose(Image.open(name)).convert("RGB"))}
        file.write(json.dumps(line) + "\n")
