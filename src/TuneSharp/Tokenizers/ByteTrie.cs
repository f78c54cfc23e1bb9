using System.Numerics;

namespace TuneSharp.Tokenizers;

/// <summary>A tree of byte strings with a number at the end of each: finds all that begin at a place.</summary>
internal sealed class ByteTrie
{
    private const int Root = 0;
    private readonly List<int> _values = [-1];
    private ulong[] _keys = new ulong[1024];
    private int[] _next = new int[1024];
    private int _count;

    /// <summary>Adds a string; a second value for the same string replaces the first.</summary>
    internal void Add(ReadOnlySpan<byte> text, int value)
    {
        int node = Root;
        foreach (byte b in text)
        {
            int next = Step(node, b);
            if (next < 0)
            {
                next = _values.Count;
                _values.Add(-1);
                Insert(Key(node, b), next);
            }

            node = next;
        }

        _values[node] = value;
    }

    /// <summary>The node one byte further, or -1. Begin at node 0.</summary>
    internal int Step(int node, byte b)
    {
        ulong key = Key(node, b);
        int mask = _keys.Length - 1;
        for (int slot = Slot(key); _keys[slot] != 0; slot = (slot + 1) & mask)
        {
            if (_keys[slot] == key)
            {
                return _next[slot];
            }
        }

        return -1;
    }

    /// <summary>The number at a node, or -1.</summary>
    internal int Value(int node) => _values[node];

    private static ulong Key(int node, byte b) => (((ulong)(uint)node << 8) | b) + 1;

    private int Slot(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> (64 - BitOperations.Log2((uint)_keys.Length)));

    private void Insert(ulong key, int next)
    {
        if (++_count * 2 > _keys.Length)
        {
            (ulong[] keys, int[] nexts) = (_keys, _next);
            _keys = new ulong[keys.Length * 2];
            _next = new int[keys.Length * 2];
            for (int i = 0; i < keys.Length; i++)
            {
                if (keys[i] != 0)
                {
                    Put(keys[i], nexts[i]);
                }
            }
        }

        Put(key, next);
    }

    private void Put(ulong key, int next)
    {
        int slot = Slot(key);
        while (_keys[slot] != 0)
        {
            slot = (slot + 1) & (_keys.Length - 1);
        }

        _keys[slot] = key;
        _next[slot] = next;
    }
}
