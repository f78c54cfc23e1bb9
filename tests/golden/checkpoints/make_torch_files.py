"""Makes the torch files beside it with Python's standard library alone: the layout of torch.save (PyTorch 1.6 and later).

Stand-ins for torch's names make pickle write what torch would: a zip archive with data.pkl, byteorder, version and one
entry data/<key> per storage. Run: python3 make_torch_files.py
"""
import collections, io, os, pickle, struct, sys, types, zipfile

torch = types.ModuleType("torch")
utils = types.ModuleType("torch._utils")


def named(module, name, make=None):
    thing = make or type(name, (), {})
    thing.__module__, thing.__qualname__, thing.__name__ = module.__name__, name, name
    setattr(module, name, thing)
    return thing


def _rebuild_tensor_v2(*a): ...
def _rebuild_parameter(*a): ...
def _rebuild_something_new(*a): ...


for f in (_rebuild_tensor_v2, _rebuild_parameter, _rebuild_something_new):
    named(utils, f.__name__, f)
FloatStorage = named(torch, "FloatStorage")
HalfStorage = named(torch, "HalfStorage")
LongStorage = named(torch, "LongStorage")
Size = named(torch, "Size", type("Size", (tuple,), {}))
torch._utils = utils
sys.modules.update({"torch": torch, "torch._utils": utils})


class Storage:
    def __init__(self, key, kind, data, count=None):
        self.key, self.kind, self.data, self.count = key, kind, data, count


class Call:
    """Pickles as a call of f with arguments."""
    def __init__(self, f, *arguments):
        self.f, self.arguments = f, arguments

    def __reduce__(self):
        return self.f, self.arguments


def tensor(storage, shape, strides, offset=0):
    return Call(utils._rebuild_tensor_v2, storage, offset, shape, strides, False, collections.OrderedDict())


def save(path, obj, storages, compress=False, protocol=2, raw=None, data=True):
    class P(pickle.Pickler):
        def persistent_id(self, o):
            if isinstance(o, Storage):
                return ("storage", o.kind, o.key, "cpu", o.count)

    buffer = io.BytesIO()
    P(buffer, protocol).dump(obj)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as z:
        def put(name, content):
            z.writestr(zipfile.ZipInfo("archive/" + name, (1980, 1, 1, 0, 0, 0)), content, z.compression)
        put("data.pkl", raw if raw is not None else buffer.getvalue())
        put("byteorder", b"little")
        for s in storages if data else []:
            put("data/" + s.key, s.data)
        put("version", b"3\n")


floats = Storage("0", FloatStorage, struct.pack("<12f", *range(12)), 12)
longs = Storage("1", LongStorage, struct.pack("<3q", -1, 0, 1 << 40), 3)
half = Storage("2", HalfStorage, struct.pack("<2e", 1.5, -2), 2)
state = collections.OrderedDict()
state["a.weight"] = tensor(floats, (3, 4), (4, 1))
state["a.transposed"] = tensor(floats, (4, 3), (1, 4))
state["a.tail"] = Call(utils._rebuild_parameter, tensor(floats, (2,), (1,), 10), True, collections.OrderedDict())
state["scalar"] = tensor(longs, (), (), 2)
state["half"] = tensor(half, (2,), (1,))
state["empty"] = tensor(half, (0, 7), (7, 1))
all_three = [floats, longs, half]

save("state_dict.pt", state, all_three)
save("state_dict_packed.pt", state, all_three, compress=True)
save("state_dict_protocol4.pt", state, all_three, protocol=4)
save("training.pt", {"model": state, "epoch": 3, "optimizer": {"lr": 1e-3, "betas": (0.9, 0.95), "big": 1 << 70, "size": Size((1, 2))}}, all_three)
save("bad_system.pt", {"a": Call(os.system, "echo pwned")}, [])
save("bad_eval.pt", {"a": Call(eval, "1")}, [])
save("bad_new_function.pt", {"a": Call(utils._rebuild_something_new, 1)}, [])
save("bad_offset.pt", {"a": tensor(floats, (3,), (1,), 10)}, all_three)
save("bad_stride.pt", {"a": tensor(floats, (3, 4), (1 << 62, 1))}, all_three)
save("bad_negative.pt", {"a": tensor(floats, (3,), (-1,), 11)}, all_three)
save("bad_storage_size.pt", {"a": tensor(Storage("0", FloatStorage, floats.data, 13), (13,), (1,))}, all_three)
save("bad_no_storage.pt", state, all_three, data=False)
save("bad_not_a_dict.pt", [1, 2], [])
with open("bad_legacy.pt", "wb") as f:
    pickle.dump(0x1950A86A20F9469CFC6C, f, 2)
