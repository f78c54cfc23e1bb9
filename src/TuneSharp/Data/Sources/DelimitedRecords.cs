namespace TuneSharp.Data;

/// <summary>Finds the records of a delimited file in a stream: a line break inside quotes ends none. Blank lines are passed over.</summary>
internal sealed class DelimitedRecords(string path, Stream stream, byte delimiter, long offset, long line)
{
    private long _line = line; // line breaks before the current record
    private byte[] _buffer = new byte[1 << 20];
    private long _offset = offset;
    private int _start;
    private int _used;
    private bool _isEnd;

    public IEnumerable<FileRecord> All()
    {
        if (_offset == 0)
        {
            while (_used < ByteLines.Bom.Length && Fill())
            {
            }

            _start = _buffer.AsSpan(0, _used).StartsWith(ByteLines.Bom) ? ByteLines.Bom.Length : 0;
        }

        while (_start < _used || Fill())
        {
            long first = _line + 1;
            (int length, int next, int breaks, bool isOpen) = Scan();
            _line += breaks;
            FileRecord record = new(
                _buffer.AsMemory(_start, length), _offset + _start, first, _offset + _start + next, _line,
                isOpen ? new DatasetException($"{path}, line {first}: a quoted field is never closed. Write a quote inside a quoted field twice (\"\").") : null);
            _start += next;
            if (length > 0)
            {
                yield return record;
            }
        }
    }

    /// <summary>How many fields a record has.</summary>
    public static int CountFields(ReadOnlySpan<byte> record, byte delimiter)
    {
        int fields = 1;
        bool isFieldStart = true;
        bool isQuoted = false;
        for (int i = 0; i < record.Length; i++)
        {
            byte b = record[i];
            if (isQuoted)
            {
                isQuoted = b != (byte)'"';
                if (!isQuoted && i + 1 < record.Length && record[i + 1] == (byte)'"')
                {
                    isQuoted = true;
                    i++;
                }

                continue;
            }

            isQuoted = b == (byte)'"' && isFieldStart;
            isFieldStart = b == delimiter;
            fields += isFieldStart ? 1 : 0;
        }

        return fields;
    }

    /// <summary>The record at the start of the buffer: its length, the length with its line break, the line breaks in it.</summary>
    private (int Length, int Next, int Breaks, bool IsOpen) Scan()
    {
        int breaks = 0;
        bool isFieldStart = true;
        bool isQuoted = false;
        for (int i = 0; Has(i); i++)
        {
            byte b = _buffer[_start + i];
            breaks += b == (byte)'\n' ? 1 : 0;
            if (isQuoted)
            {
                if (b == (byte)'"')
                {
                    isQuoted = Has(i + 1) && _buffer[_start + i + 1] == (byte)'"';
                    i += isQuoted ? 1 : 0;
                }

                continue;
            }

            if (b == (byte)'\n')
            {
                return (i, i + 1, breaks, false);
            }

            if (b == (byte)'\r')
            {
                bool isPair = Has(i + 1) && _buffer[_start + i + 1] == (byte)'\n';
                return (i, i + (isPair ? 2 : 1), breaks + 1, false);
            }

            isQuoted = b == (byte)'"' && isFieldStart;
            isFieldStart = b == delimiter;
        }

        return (_used - _start, _used - _start, breaks, isQuoted);
    }

    private bool Has(int i) => _start + i < _used || (Fill() && Has(i));

    /// <summary>Reads more; what lies before the record may go.</summary>
    private bool Fill()
    {
        if (_isEnd)
        {
            return false;
        }

        _buffer.AsSpan(_start, _used - _start).CopyTo(_buffer);
        (_offset, _used, _start) = (_offset + _start, _used - _start, 0);
        if (_used == _buffer.Length)
        {
            Array.Resize(ref _buffer, checked(_buffer.Length * 2));
        }

        int n = stream.Read(_buffer, _used, _buffer.Length - _used);
        _used += n;
        _isEnd = n == 0;
        return n > 0;
    }
}
