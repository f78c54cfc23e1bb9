using System.Buffers;
using System.Text;
using TuneSharp.Config;

namespace TuneSharp.Data;

/// <summary>Finds the objects of a large JSON list in a stream without holding the list.</summary>
/// <remarks>Only brackets and strings are followed here; whether an object is right is for <see cref="JsonRowParser"/> to say.</remarks>
internal sealed class JsonElements(string path, Stream stream, long offset, long line)
{
    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]\n"u8);
    private static readonly SearchValues<byte> InString = SearchValues.Create("\"\\\n"u8);
    private byte[] _buffer = new byte[1 << 20];
    private long _offset = offset; // of the buffer's first byte
    private long _line = line;     // line breaks before the current byte
    private int _at;
    private int _used;
    private int _keep = -1;        // first byte that must stay in the buffer

    /// <summary>The elements of the list, from the beginning of the file or from the end of an earlier element.</summary>
    /// <param name="field">The key that holds the list, or null when the file is the list.</param>
    public IEnumerable<FileRecord> Rows(string? field)
    {
        bool inList = _offset > 0;
        if (!inList)
        {
            SkipBom();
            if (Token() < 0)
            {
                yield break;
            }

            if (field is not null)
            {
                FindField(field);
            }

            inList = Token() == '[';
            _at += inList ? 1 : 0;
        }

        bool isFirst = _offset == 0;
        for (int token; (token = Token()) >= 0; isFirst = false)
        {
            if (inList && token == ']')
            {
                _at++;
                if (field is null && Token() >= 0)
                {
                    throw Broken("there is text after the end of the list");
                }

                yield break;
            }

            if (inList && token == ',')
            {
                _at++;
                token = Token();
            }

            yield return Element();
            int next = Token();
            if (inList ? next is not (',' or ']') : field is not null || next is not ('{' or -1))
            {
                if (!inList && field is not null)
                {
                    yield break; // one object under the field
                }

                throw Broken(next < 0 ? "the file ends inside the list" : $"'{(char)next}' stands where a comma or the end of the list belongs");
            }
        }

        if (inList)
        {
            throw Broken(isFirst ? "the file ends inside the list" : "the list is never closed");
        }
    }

    private FileRecord Element()
    {
        _keep = _at;
        long from = _offset + _at;
        long first = _line + 1;
        SkipValue();
        ReadOnlyMemory<byte> bytes = _buffer.AsMemory(_keep, _at - _keep);
        _keep = -1;
        return new FileRecord(bytes, from, first, _offset + _at, _line);
    }

    /// <summary>Moves past one value.</summary>
    private void SkipValue()
    {
        int depth = 0;
        do
        {
            int b = Peek();
            switch (b)
            {
                case < 0:
                    throw Broken("the file ends inside a value");
                case '"':
                    SkipString();
                    break;
                case '{' or '[':
                    depth++;
                    _at++;
                    break;
                case '}' or ']':
                    depth--;
                    _at++;
                    break;
                case '\n':
                    _line++;
                    _at++;
                    break;
                default:
                    SkipPlain(depth);
                    break;
            }
        }
        while (depth > 0);
        if (depth < 0)
        {
            throw Broken("a bracket closes what was never opened");
        }
    }

    private void SkipPlain(int depth)
    {
        if (depth > 0)
        {
            int n = _buffer.AsSpan(_at, _used - _at).IndexOfAny(Structure);
            _at = n < 0 ? _used : _at + n;
            return;
        }

        while (Peek() is >= 0 and not (',' or ']' or '}' or '\n' or ' ' or '\t' or '\r'))
        {
            _at++; // a bare number or word
        }
    }

    private void SkipString()
    {
        long first = _line + 1;
        _at++;
        while (true)
        {
            if (Peek() < 0)
            {
                throw new DatasetException($"{path}, line {first}: a text that begins here is never closed. Add the missing quote.");
            }

            int n = _buffer.AsSpan(_at, _used - _at).IndexOfAny(InString);
            if (n < 0)
            {
                _at = _used;
                continue;
            }

            _at += n + 1;
            switch (_buffer[_at - 1])
            {
                case (byte)'"':
                    return;
                case (byte)'\n':
                    _line++;
                    break;
                default:
                    _at += Peek() >= 0 ? 1 : 0; // whatever was escaped
                    break;
            }
        }
    }

    private void FindField(string field)
    {
        List<string> keys = [];
        if (Token() == '{')
        {
            _at++;
            while (Token() == '"')
            {
                _keep = _at;
                SkipString();
                string key = Encoding.UTF8.GetString(_buffer.AsSpan(_keep + 1, _at - _keep - 2));
                _keep = -1;
                if (Token() != ':')
                {
                    throw Broken($"a colon is missing after \"{key}\"");
                }

                _at++;
                if (key == field)
                {
                    return;
                }

                keys.Add(key);
                Token();
                SkipValue();
                _at += Token() == ',' ? 1 : 0;
            }
        }

        string what = keys.Count == 0 ? "The file holds a list: leave field out." : $"Its keys: {string.Join(", ", keys)}.";
        throw new DatasetException($"{path}: there is no field '{field}'. {what}{NearestName.Hint(field, keys)}");
    }

    private void SkipBom()
    {
        while (_used < ByteLines.Bom.Length && Fill())
        {
        }

        _at += _buffer.AsSpan(0, _used).StartsWith(ByteLines.Bom) ? ByteLines.Bom.Length : 0;
    }

    /// <summary>The next byte that is not blank, or −1 at the end.</summary>
    private int Token()
    {
        int b;
        while ((b = Peek()) is ' ' or '\t' or '\r' or '\n')
        {
            _line += b == '\n' ? 1 : 0;
            _at++;
        }

        return b;
    }

    private int Peek() => _at < _used || Fill() ? _buffer[_at] : -1;

    private bool Fill()
    {
        int from = _keep >= 0 ? _keep : _at;
        _buffer.AsSpan(from, _used - from).CopyTo(_buffer);
        (_offset, _at, _used, _keep) = (_offset + from, _at - from, _used - from, _keep >= 0 ? 0 : -1);
        if (_used == _buffer.Length)
        {
            Array.Resize(ref _buffer, checked(_buffer.Length * 2));
        }

        int n = stream.Read(_buffer, _used, _buffer.Length - _used);
        _used += n;
        return n > 0;
    }

    private DatasetException Broken(string what) => new(
        $"{path}, line {_line + 1}, byte {_offset + _at + 1} of the file: {what}. " +
        "A JSON data file holds a list of objects, or one object with the list under a key that `field` names.");
}
