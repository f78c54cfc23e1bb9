using System.Buffers.Binary;
using System.Text;

namespace TuneSharp.Tokenizers;

/// <summary>Walks the fields of one protobuf message.</summary>
internal ref struct ProtoReader
{
    private readonly ReadOnlySpan<byte> _data;
    private int _at;
    private int _wireType;
    private ulong _number;
    private ReadOnlySpan<byte> _bytes;

    internal ProtoReader(ReadOnlySpan<byte> data) => _data = data;

    /// <summary>The number of the field that <see cref="Next"/> reached.</summary>
    internal int Field { get; private set; }

    internal readonly long Integer => _wireType == 0 ? (long)_number : throw Damaged("a number");

    internal readonly bool Flag => Integer != 0;

    internal readonly float Single => _wireType == 5 ? BitConverter.UInt32BitsToSingle((uint)_number) : throw Damaged("a float");

    internal readonly ReadOnlySpan<byte> Bytes => _wireType == 2 ? _bytes : throw Damaged("bytes");

    internal readonly string Text => Encoding.UTF8.GetString(Bytes);

    internal bool Next()
    {
        if (_at == _data.Length)
        {
            return false;
        }

        ulong tag = Varint();
        Field = (int)(tag >> 3);
        _wireType = (int)(tag & 7);
        switch (_wireType)
        {
            case 0:
                _number = Varint();
                break;
            case 1:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                _bytes = Take(Varint());
                break;
            case 5:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new FormatException($"not a protobuf message: wire type {_wireType} at byte {_at}.");
        }

        return true;
    }

    private readonly FormatException Damaged(string wanted) => new($"protobuf field {Field} should be {wanted}.");

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)(_data.Length - _at))
        {
            throw new FormatException($"the file ends too early: byte {_at} begins {count} bytes, {_data.Length - _at} are left.");
        }

        _at += (int)count;
        return _data.Slice(_at - (int)count, (int)count);
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte b = Take(1)[0];
            value |= (ulong)(b & 127) << shift;
            if (b < 128)
            {
                return value;
            }
        }

        throw new FormatException($"a number at byte {_at} has more than 64 bits.");
    }
}
