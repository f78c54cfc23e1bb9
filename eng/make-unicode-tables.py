"""Writes src/TuneSharp/Tokenizers/Unicode/NormalizationData.cs: combining classes and decompositions.

Source: Python's own unicodedata module. Run from the repository root: python3 eng/make-unicode-tables.py
The stream (deflated, base64) is a row of numbers, seven bits a byte, the top bit meaning "more":
    count of (gap to the last code point, combining class), then count of
    (gap to the last code point, length * 2 + is compatibility, code points of the full decomposition).
"""
import base64
import unicodedata as u
import zlib

HANGUL = range(0xAC00, 0xD7A4)
out = bytearray()


def put(n):
    while n >= 128:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)


classes = [(c, u.combining(chr(c))) for c in range(0x110000) if u.combining(chr(c))]
put(len(classes))
last = 0
for c, k in classes:
    put(c - last)
    put(k)
    last = c

rows = []
for c in range(0x110000):
    if c in HANGUL or 0xD800 <= c < 0xE000:
        continue
    canonical, compatible = u.normalize("NFD", chr(c)), u.normalize("NFKD", chr(c))
    if canonical != chr(c):
        rows.append((c, 0, canonical))
    if compatible != canonical:
        rows.append((c, 1, compatible))
put(len(rows))
last = 0
for c, kind, text in rows:
    put(c - last)
    put(len(text) * 2 + kind)
    for x in text:
        put(ord(x))
    last = c

# Canonical decompositions that composition does not undo.
excluded = [c for c, kind, text in rows if kind == 0 and u.normalize("NFC", chr(c)) != chr(c)]
put(len(excluded))
last = 0
for c in excluded:
    put(c - last)
    last = c

# The one-step canonical pairs, from which composition is made.
pairs = []
for c in range(0x110000):
    d = u.decomposition(chr(c))
    if d and not d.startswith("<") and " " in d and c not in excluded:
        first, second = (int(x, 16) for x in d.split())
        pairs.append((first, second, c))
put(len(pairs))
last = 0
for first, second, c in sorted(pairs, key=lambda p: p[2]):
    put(c - last)
    put(first)
    put(second)
    last = c

text = base64.b64encode(zlib.compress(bytes(out), 9)[2:-4]).decode()
lines = [text[i:i + 112] for i in range(0, len(text), 112)]
with open("src/TuneSharp/Tokenizers/Unicode/NormalizationData.cs", "w", newline="\n") as f:
    f.write("namespace TuneSharp.Tokenizers;\n\n")
    f.write(f"// Written by eng/make-unicode-tables.py from Unicode {u.unidata_version}; do not edit.\n")
    f.write("internal static class NormalizationData\n{\n    internal const string Deflated =\n")
    f.write("\n".join(f'        "{line}"' + (" +" if i + 1 < len(lines) else ";") for i, line in enumerate(lines)))
    f.write("\n}\n")
print(len(out), len(text))
