using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.Win32.SafeHandles;

namespace TuneSharp.Hub;

/// <summary>Fetches one file, in ranges at once if it is large, and goes on where an earlier try (of this or another process) ended.</summary>
/// <remarks>Beside the partial file lies one with the bytes that each range has; it is written after the bytes themselves.</remarks>
internal sealed class RangedTransfer(HubHttp http, string name, string what, Uri url, string partial)
{
    private const int BufferBytes = 1 << 18; // 256 KiB: few calls, and little is lost when a connection is cut
    private readonly string _statePath = partial + ".state";
    private Uri? _direct; // where the hub redirected to; asked directly until it refuses
    private long[] _done = [];
    private long _size;
    private long _range;

    /// <summary>Whether something of an earlier try was used.</summary>
    public bool IsResumed { get; private set; }

    /// <summary>Fetches what is missing.</summary>
    /// <param name="size">The file's bytes; null when nobody knows, and then it is fetched in one piece from its beginning.</param>
    /// <param name="progress">Is told how many bytes came in; less than zero when some must come again.</param>
    /// <param name="stop">Gives up.</param>
    public async Task RunAsync(long? size, Action<long>? progress, CancellationToken stop)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            if (size is null)
            {
                await http.RetryAsync(name, () => FetchWhole(file, progress, stop), stop);
                return;
            }

            _size = size.Value;
            using SafeFileHandle state = File.OpenHandle(_statePath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            Load(file, state, http.Settings.RangeBytes);
            IsResumed = _done.Sum() > 0;
            progress?.Invoke(_done.Sum());
            if (!await FetchRanges(file, state, progress, stop))
            {
                // This server knows no ranges: everything again, in one piece.
                progress?.Invoke(-_done.Sum());
                RandomAccess.SetLength(state, 0);
                Load(file, state, Math.Max(1, _size));
                await FetchRanges(file, state, progress, stop);
            }

            RandomAccess.FlushToDisk(file);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException) && IsShared(e))
        {
            throw new HubException($"{what}: another process is fetching it ({partial} is in use). Wait for it, then run the command again.", isRefusal: true, e) { IsBusy = true };
        }
    }

    /// <summary>Removes what lies beside the finished file.</summary>
    public void Forget() => File.Delete(_statePath);

    /// <summary>Throws everything away that came in.</summary>
    public void Discard()
    {
        File.Delete(partial);
        File.Delete(_statePath);
    }

    private static bool IsShared(IOException e) => e.Message.Contains("being used by another process", StringComparison.Ordinal);

    private async Task<bool> FetchRanges(SafeFileHandle file, SafeFileHandle state, Action<long>? progress, CancellationToken stop)
    {
        int[] open = [.. Enumerable.Range(0, _done.Length).Where(i => _done[i] < LengthOf(i))];
        bool hasRanges = true;
        using CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            await Parallel.ForEachAsync(
                open,
                new ParallelOptions { MaxDegreeOfParallelism = http.Settings.Connections, CancellationToken = cancel.Token },
                async (i, token) =>
                {
                    bool isRange = await http.RetryAsync(name, () => FetchRange(i, file, state, progress, token), token, () => _done[i]);
                    if (!isRange)
                    {
                        hasRanges = false;
                        await cancel.CancelAsync();
                    }
                });
        }
        catch (OperationCanceledException) when (!hasRanges && !stop.IsCancellationRequested)
        {
            return false;
        }

        return hasRanges;
    }

    /// <summary>Fetches the rest of a range.</summary>
    /// <returns>False when the server sends the whole file instead of the range.</returns>
    private async Task<bool> FetchRange(int i, SafeFileHandle file, SafeFileHandle state, Action<long>? progress, CancellationToken stop)
    {
        long from = (i * _range) + _done[i];
        long end = (i * _range) + LengthOf(i);
        if (from >= end)
        {
            return true;
        }

        bool asks = from > 0 || end < _size;
        using HttpResponseMessage response = await Get(asks ? new RangeHeaderValue(from, end - 1) : null, stop);
        if (asks && response.StatusCode == HttpStatusCode.OK)
        {
            if (_done.Length > 1)
            {
                return false;
            }

            progress?.Invoke(-_done[0]);
            (from, _done[0]) = (0, 0);
        }
        else if (asks && response.Content.Headers.ContentRange is { From: { } start } && start != from)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{what}: the server sent bytes from {start} instead of {from}"));
        }

        await using Stream input = await response.Content.ReadAsStreamAsync(stop);
        byte[] buffer = new byte[BufferBytes];
        byte[] word = new byte[sizeof(long)];
        while (from < end)
        {
            int wanted = (int)Math.Min(buffer.Length, end - from);
            int n = await HubHttp.Timed(async c => await input.ReadAsync(buffer.AsMemory(0, wanted), c), http.Settings.Silence, stop);
            if (n == 0)
            {
                throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{what}: the connection ended after {from} of {_size} bytes"));
            }

            await RandomAccess.WriteAsync(file, buffer.AsMemory(0, n), from, stop);
            from += n;
            _done[i] += n;
            BinaryPrimitives.WriteInt64LittleEndian(word, _done[i]);
            RandomAccess.Write(state, word, (i + 2) * sizeof(long));
            progress?.Invoke(n);
        }

        return true;
    }

    private async Task<bool> FetchWhole(SafeFileHandle file, Action<long>? progress, CancellationToken stop)
    {
        using HttpResponseMessage response = await Get(null, stop);
        long? expected = response.Content.Headers.ContentLength;
        await using Stream input = await response.Content.ReadAsStreamAsync(stop);
        byte[] buffer = new byte[BufferBytes];
        long at = 0;
        for (int n; (n = await HubHttp.Timed(async c => await input.ReadAsync(buffer, c), http.Settings.Silence, stop)) > 0; at += n)
        {
            await RandomAccess.WriteAsync(file, buffer.AsMemory(0, n), at, stop);
            progress?.Invoke(n);
        }

        if (expected is { } length && at < length)
        {
            progress?.Invoke(-at);
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{what}: the connection ended after {at} of {length} bytes"));
        }

        RandomAccess.SetLength(file, at);
        return true;
    }

    private async Task<HttpResponseMessage> Get(RangeHeaderValue? range, CancellationToken stop)
    {
        Uri? direct = _direct;
        (HttpResponseMessage response, Uri answered) = await http.SendAsync(
            to =>
            {
                HttpRequestMessage request = new(HttpMethod.Get, to);
                request.Headers.Range = range;
                request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity")); // bytes as they are: ranges count them
                return request;
            },
            direct ?? url,
            stop);
        if (direct is not null && (int)response.StatusCode is 400 or 401 or 403 or 404 or 410)
        {
            _direct = null; // signed addresses expire
            response.Dispose();
            return await Get(range, stop);
        }

        try
        {
            await http.CheckAsync(response, name, what, writes: false, stop);
        }
        catch
        {
            response.Dispose();
            throw;
        }

        _direct = http.IsHub(answered) ? null : answered;
        return response;
    }

    private long LengthOf(int i) => Math.Min(_range, _size - (i * _range));

    /// <summary>Reads what an earlier try left, or begins anew.</summary>
    private void Load(SafeFileHandle file, SafeFileHandle state, long range)
    {
        _range = Math.Max(1, range);
        _done = new long[Math.Max(1, (int)((_size + _range - 1) / _range))];
        byte[] bytes = new byte[(_done.Length + 2) * sizeof(long)];
        int have = RandomAccess.Read(state, bytes, 0);
        bool fits = have == bytes.Length && RandomAccess.GetLength(state) == have
            && BinaryPrimitives.ReadInt64LittleEndian(bytes) == _size
            && BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(sizeof(long))) == _range;
        for (int i = 0; i < _done.Length && fits; i++)
        {
            _done[i] = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan((i + 2) * sizeof(long)));
            fits = _done[i] >= 0 && _done[i] <= LengthOf(i) && (_done[i] == 0 || RandomAccess.GetLength(file) >= (i * _range) + _done[i]);
        }

        if (!fits)
        {
            Array.Clear(_done);
            Array.Clear(bytes);
            BinaryPrimitives.WriteInt64LittleEndian(bytes, _size);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(sizeof(long)), _range);
            RandomAccess.SetLength(state, 0);
            RandomAccess.Write(state, bytes, 0);
            RandomAccess.SetLength(file, 0);
        }
    }
}
