using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace TuneSharp.Checkpointing;

/// <summary>Reads a pickle into plain data and descriptions of tensors. It cannot run anything: it knows no other names.</summary>
/// <remarks>
/// A pickle is a program for a stack machine, and Python's own reader lets it call whatever can be imported. Here a name is looked
/// up in the closed table of <see cref="TorchGlobal"/>; any other ends the reading. Opcodes: Python's Lib/pickletools.py.
/// </remarks>
internal sealed class RestrictedUnpickler
{
    private const int MaxStack = 4_000_000; // objects at once; a checkpoint of 100,000 tensors needs about a tenth

    private static readonly object Mark = new();

    private readonly byte[] _data;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _at;

    private RestrictedUnpickler(byte[] data) => _data = data;

    /// <summary>Reads one pickle.</summary>
    /// <param name="data">The bytes.</param>
    /// <returns>null, bool, long, double, string, byte[], <c>List</c>, array (a tuple), <c>Dictionary</c>, or a torch object.</returns>
    /// <exception cref="FormatException">It is damaged, or names something that is not allowed; the message says what.</exception>
    internal static object? Read(byte[] data)
    {
        try
        {
            return new RestrictedUnpickler(data).Run();
        }
        catch (Exception e) when (e is InvalidCastException or ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new FormatException("it is damaged", e); // an opcode met a stack that no writer makes
        }
    }

    /// <summary>A dictionary key: text, a number or true/false; anything else has no place in a checkpoint.</summary>
    internal static object Key(object? key) => key is string or long or bool or double ? key
        : throw new FormatException("it has a dictionary key that is neither text nor a number");

    private object? Run()
    {
        while (true)
        {
            byte op = Bytes(1)[0];
            if (op == '.')
            {
                return Pop();
            }

            if (!Constant(op) && !Container(op) && !Memo(op) && !Object(op))
            {
                throw new FormatException($"it has an unknown opcode 0x{op:x2} at byte {_at - 1}");
            }

            if (_stack.Count > MaxStack || _memo.Count > MaxStack)
            {
                throw new FormatException($"it holds more than {MaxStack} objects");
            }
        }
    }

    private bool Constant(byte op)
    {
        switch (op)
        {
            case 0x80: // PROTO
                int protocol = Bytes(1)[0];
                return protocol is >= 1 and <= 5 ? true : throw new FormatException($"it is of the unknown pickle protocol {protocol}");
            case 0x95: // FRAME: a hint about lengths
                Bytes(8);
                return true;
            case (byte)'N':
                return Push(null);
            case 0x88:
                return Push(true);
            case 0x89:
                return Push(false);
            case (byte)'I':
                string text = Line();
                return Push(text is "00" or "01" ? text == "01" : Whole(text));
            case (byte)'L':
                return Push(Whole(Line().TrimEnd('L')));
            case (byte)'J':
                return Push((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(4)));
            case (byte)'K':
                return Push((long)Bytes(1)[0]);
            case (byte)'M':
                return Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2)));
            case 0x8a:
                return Push(Long(Bytes(Bytes(1)[0])));
            case 0x8b:
                return Push(Long(Bytes(Length(4))));
            case (byte)'F':
                return Push(double.TryParse(Line(), NumberStyles.Float, CultureInfo.InvariantCulture, out double d) ? d : throw new FormatException("it has a damaged number"));
            case (byte)'G':
                return Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8)));
            case (byte)'V':
                return Push(Line());
            case (byte)'X':
                return Push(Text(Length(4)));
            case 0x8c:
                return Push(Text(Bytes(1)[0]));
            case 0x8d:
                return Push(Text(Length(8)));
            case (byte)'U':
                return Push(Text(Bytes(1)[0]));
            case (byte)'T':
                return Push(Text(Length(4)));
            case (byte)'C':
                return Push(Bytes(Bytes(1)[0]).ToArray());
            case (byte)'B':
                return Push(Bytes(Length(4)).ToArray());
            case 0x8e:
                return Push(Bytes(Length(8)).ToArray());
            default:
                return false;
        }
    }

    private bool Container(byte op)
    {
        switch (op)
        {
            case (byte)'(':
                return Push(Mark);
            case (byte)'0':
                Pop();
                return true;
            case (byte)'1':
                PopToMark();
                return true;
            case (byte)'2':
                return Push(Top());
            case (byte)'}':
                return Push(new Dictionary<object, object?>());
            case (byte)']':
                return Push(new List<object?>());
            case (byte)')':
                return Push(Array.Empty<object?>());
            case (byte)'t':
                return Push(PopToMark());
            case (byte)'l':
                return Push(new List<object?>(PopToMark()));
            case (byte)'d':
                Dictionary<object, object?> dict = [];
                Fill(dict, PopToMark());
                return Push(dict);
            case 0x85 or 0x86 or 0x87: // tuples of one to three
                object?[] tuple = new object?[op - 0x84];
                for (int i = tuple.Length - 1; i >= 0; i--)
                {
                    tuple[i] = Pop();
                }

                return Push(tuple);
            case (byte)'a':
                object? item = Pop();
                ((List<object?>)Top()!).Add(item);
                return true;
            case (byte)'e':
                object?[] items = PopToMark();
                ((List<object?>)Top()!).AddRange(items);
                return true;
            case (byte)'s':
                object? value = Pop(), key = Pop();
                Fill((Dictionary<object, object?>)Top()!, [key, value]);
                return true;
            case (byte)'u':
                object?[] pairs = PopToMark();
                Fill((Dictionary<object, object?>)Top()!, pairs);
                return true;
            default:
                return false;
        }
    }

    private bool Memo(byte op)
    {
        switch (op)
        {
            case (byte)'p':
                return Remember(Whole(Line()));
            case (byte)'q':
                return Remember(Bytes(1)[0]);
            case (byte)'r':
                return Remember(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4)));
            case 0x94:
                return Remember(_memo.Count);
            case (byte)'g':
                return Push(Recall(Whole(Line())));
            case (byte)'h':
                return Push(Recall(Bytes(1)[0]));
            case (byte)'j':
                return Push(Recall(BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4))));
            default:
                return false;
        }
    }

    private bool Object(byte op)
    {
        switch (op)
        {
            case (byte)'c':
                string module = Line();
                return Push(Global(module + "." + Line()));
            case 0x93: // STACK_GLOBAL
                string name = (string)Pop()!;
                return Push(Global((string)Pop()! + "." + name));
            case (byte)'R' or 0x81: // REDUCE, NEWOBJ: call a name with a tuple
                object?[] arguments = (object?[])Pop()!;
                TorchGlobal global = (TorchGlobal)Pop()!;
                return Push((global.Call ?? throw new FormatException($"it calls {global.Name}, which is no function"))(arguments));
            case (byte)'b': // BUILD: attributes of an object; an OrderedDict's (a state dict's version numbers) have no effect
                Pop();
                return Top() is Dictionary<object, object?> ? true : throw new FormatException("it sets attributes of something that is no dictionary");
            case (byte)'Q': // BINPERSID
                return Push(Storage((object?[])Pop()!));
            default:
                return false;
        }
    }

    private static TorchGlobal Global(string name) => TorchGlobal.Find(name)
        ?? throw new FormatException($"it names {name}, and only tensors and plain data are read. A file that needs more can run programs; do not trust it");

    private static TorchStorage Storage(object?[] id) =>
        id is ["storage", TorchGlobal { StorageType: { } type }, string key, string, long count] && count >= 0
            ? new TorchStorage(key, type, count)
            : throw new FormatException("it refers to a storage in a way that is not known");

    private static void Fill(Dictionary<object, object?> dict, object?[] pairs)
    {
        for (int i = 0; i < pairs.Length; i += 2)
        {
            dict[Key(pairs[i])] = pairs[i + 1];
        }
    }

    private bool Push(object? value)
    {
        _stack.Add(value);
        return true;
    }

    private object? Top() => _stack[^1];

    private object? Pop()
    {
        object? top = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return ReferenceEquals(top, Mark) ? throw new FormatException("it is damaged") : top;
    }

    private object?[] PopToMark()
    {
        int at = _stack.LastIndexOf(Mark);
        object?[] items = [.. _stack[(at + 1)..]];
        _stack.RemoveRange(at, _stack.Count - at); // without a mark, at is -1 and this throws
        return items;
    }

    private bool Remember(long index)
    {
        _memo[index] = Top();
        return true;
    }

    private object? Recall(long index) => _memo.TryGetValue(index, out object? value) ? value
        : throw new FormatException($"it recalls object {index}, which it never stored");

    private ReadOnlySpan<byte> Bytes(int count)
    {
        if (count < 0 || count > _data.Length - _at)
        {
            throw new FormatException("it ends too early");
        }

        _at += count;
        return _data.AsSpan(_at - count, count);
    }

    /// <summary>A length of 4 or 8 bytes, which cannot be more than what is left.</summary>
    private int Length(int width)
    {
        ulong n = width == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4)) : BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));
        return n <= (ulong)(_data.Length - _at) ? (int)n : throw new FormatException("it ends too early");
    }

    private string Text(int count) => Encoding.UTF8.GetString(Bytes(count));

    private string Line()
    {
        int end = Array.IndexOf(_data, (byte)'\n', _at);
        if (end < 0)
        {
            throw new FormatException("it ends too early");
        }

        string line = Encoding.UTF8.GetString(_data, _at, end - _at);
        _at = end + 1;
        return line;
    }

    private static long Whole(string text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
        ? value : throw new FormatException("it has a damaged number");

    /// <summary>Two's complement, little-endian; a number beyond 8 bytes (a seed, say) is kept as text.</summary>
    private static object Long(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 32)
        {
            throw new FormatException($"it has a number of {bytes.Length} bytes");
        }

        System.Numerics.BigInteger value = new(bytes);
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return (long)value;
        }

        return value.ToString(CultureInfo.InvariantCulture);
    }
}
