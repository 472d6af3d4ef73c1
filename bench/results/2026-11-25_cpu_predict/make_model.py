# A model folder of about 1.2 GB for longconv: random weights of a Hyena of width 2048.
import json, math, random, struct, sys, os
D, layers, inner, E, F, L = 2048, 6, 8192, 5, 64, 1026
out = sys.argv[1]; os.makedirs(out, exist_ok=True)
random.seed(0)
# A million normal numbers, repeated: what they are does not matter here.
NOISE = struct.pack("<1000000f", *(random.gauss(0, 0.02) for _ in range(1000000)))
def noise(count):
    whole, rest = divmod(4 * count, len(NOISE))
    for _ in range(whole): yield NOISE
    yield NOISE[:rest]
shapes = {"backbone.embeddings.word_embeddings.weight": (16, D), "backbone.ln_f.weight": (D,), "backbone.ln_f.bias": (D,)}
for i in range(layers):
    p = f"backbone.layers.{i}."
    m = p + "mixer."
    f = m + "filter_fn."
    shapes.update({m+"in_proj.weight": (3*D, D), m+"in_proj.bias": (3*D,), m+"out_proj.weight": (D, D), m+"out_proj.bias": (D,),
      m+"short_filter.weight": (3*D, 1, 3), m+"short_filter.bias": (3*D,), f+"bias": (D,), f+"pos_emb.z": (1, L, E), f+"pos_emb.t": (1, L, 1),
      f+"implicit_filter.0.weight": (F, E), f+"implicit_filter.0.bias": (F,), f+"implicit_filter.1.freq": (1, F),
      f+"implicit_filter.2.weight": (F, F), f+"implicit_filter.2.bias": (F,), f+"implicit_filter.4.weight": (F, F), f+"implicit_filter.4.bias": (F,),
      f+"implicit_filter.6.weight": (D, F), f+"modulation.deltas": (1, 1, D),
      p+"norm1.weight": (D,), p+"norm1.bias": (D,), p+"norm2.weight": (D,), p+"norm2.bias": (D,),
      p+"mlp.fc1.weight": (inner, D), p+"mlp.fc1.bias": (inner,), p+"mlp.fc2.weight": (D, inner), p+"mlp.fc2.bias": (D,)})
header, at = {}, 0
for name, shape in shapes.items():
    n = 4 * math.prod(shape); header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at+n]}; at += n
text = json.dumps(header).encode(); text += b" " * (-(8+len(text)) % 8)
with open(out + "/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for name, shape in shapes.items():
        for part in noise(math.prod(shape)): file.write(part)
open(out + "/config.toml", "w").write(f"""[model]
family = "hyena_dna"
d_model = {D}
n_layers = {layers}
d_inner = {inner}
l_max = {L}
vocab_size = 12
[model.filter]
emb_dim = {E}
width = {F}
""")
rows = int(sys.argv[2])
words = "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, 1024), }" % rows
words += " " * (-(10 + len(words) + 1) % 64) + "\n"
with open(out + "/ids.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words.encode())
    file.write(struct.pack("<%di" % (rows * 1024), *(random.randrange(7, 11) for _ in range(rows * 1024))))
print(at)
