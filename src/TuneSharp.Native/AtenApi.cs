using System.Runtime.InteropServices;

namespace TuneSharp.Native;

/// <summary>libtorch's own C entry points (<c>torch/csrc/stable/c/shim.h</c> and <c>aoti_torch/c/shim.h</c>), names untouched.</summary>
/// <remarks>
/// Every argument and result of the dispatcher is one 8-byte word. Arguments are consumed by the call, results are owned by
/// the caller. A wrong number or kind of arguments is undefined behaviour: wrap each operator once, with its schema beside it.
/// </remarks>
public static unsafe class AtenApi
{
    private const ulong Abi = (2UL << 56) | (10UL << 48); // the interface of 2.10; 2.11 accepts it

    private static delegate* unmanaged<byte*, byte*, ulong*, ulong, int> _call;
    private static delegate* unmanaged<IntPtr, IntPtr*, int> _newHandle;
    private static delegate* unmanaged<IntPtr*, int> _newUndefined;
    private static delegate* unmanaged<nuint, IntPtr*, int> _newList;
    private static delegate* unmanaged<IntPtr, ulong, int> _push;
    private static delegate* unmanaged<IntPtr, nuint*, int> _listSize;
    private static delegate* unmanaged<IntPtr, nuint, ulong*, int> _listGet;
    private static delegate* unmanaged<IntPtr, int> _listDelete;
    private static delegate* unmanaged<byte*, nuint, IntPtr*, int> _newString;
    private static delegate* unmanaged<void*, long, long*, long*, long, int, int, int, IntPtr*, int> _fromBlob;
    private static delegate* unmanaged<IntPtr, void**, int> _dataPointer;
    private static delegate* unmanaged<long, long, long, delegate* unmanaged<long, long, void*, void>, void*, int> _parallelFor;

    internal static void Bind(IntPtr torchCpu)
    {
        IntPtr Find(string name) => NativeLibrary.TryGetExport(torchCpu, name, out IntPtr address)
            ? address
            : throw new NativeException($"libtorch_cpu does not export {name}. PyTorch 2.10 or 2.11 does; this one is older or other.");
        _call = (delegate* unmanaged<byte*, byte*, ulong*, ulong, int>)Find("torch_call_dispatcher");
        _newHandle = (delegate* unmanaged<IntPtr, IntPtr*, int>)Find("aoti_torch_new_tensor_handle");
        _newUndefined = (delegate* unmanaged<IntPtr*, int>)Find("aoti_torch_new_uninitialized_tensor");
        _newList = (delegate* unmanaged<nuint, IntPtr*, int>)Find("torch_new_list_reserve_size");
        _push = (delegate* unmanaged<IntPtr, ulong, int>)Find("torch_list_push_back");
        _listSize = (delegate* unmanaged<IntPtr, nuint*, int>)Find("torch_list_size");
        _listGet = (delegate* unmanaged<IntPtr, nuint, ulong*, int>)Find("torch_list_get_item");
        _listDelete = (delegate* unmanaged<IntPtr, int>)Find("torch_delete_list");
        _newString = (delegate* unmanaged<byte*, nuint, IntPtr*, int>)Find("torch_new_string_handle");
        _fromBlob = (delegate* unmanaged<void*, long, long*, long*, long, int, int, int, IntPtr*, int>)Find("aoti_torch_create_tensor_from_blob");
        _dataPointer = (delegate* unmanaged<IntPtr, void**, int>)Find("aoti_torch_get_data_ptr");
        _parallelFor = (delegate* unmanaged<long, long, long, delegate* unmanaged<long, long, void*, void>, void*, int>)Find("torch_parallel_for");
    }

    /// <summary>Calls an operator. <paramref name="stack"/> holds all its arguments, and afterwards its results from the start.</summary>
    /// <param name="op">Qualified name with a closing zero byte, as in <c>"aten::rms_norm\0"u8</c>.</param>
    /// <param name="overload">Overload name with a closing zero byte; <c>"\0"u8</c> for the plain one.</param>
    /// <param name="stack">The words.</param>
    /// <exception cref="NativeException">The operator failed; libtorch has written its reason to standard error.</exception>
    public static void Call(ReadOnlySpan<byte> op, ReadOnlySpan<byte> overload, Span<ulong> stack)
    {
        fixed (byte* name = op)
        fixed (byte* variant = overload)
        fixed (ulong* words = stack)
        {
            if (_call(name, variant, words, Abi) != 0)
            {
                throw new NativeException(
                    $"libtorch refused {System.Text.Encoding.UTF8.GetString(op[..^1])}; its reason stands on standard error above.");
            }
        }
    }

    /// <summary>A new owned handle to a tensor: what the dispatcher consumes.</summary>
    /// <param name="tensor">TorchSharp's <c>Tensor.Handle</c>.</param>
    public static ulong NewHandle(IntPtr tensor)
    {
        IntPtr handle;
        Check(_newHandle(tensor, &handle), "aoti_torch_new_tensor_handle");
        return (ulong)handle;
    }

    /// <summary>A new handle to no tensor: libtorch's undefined one.</summary>
    public static ulong Undefined()
    {
        IntPtr handle;
        Check(_newUndefined(&handle), "aoti_torch_new_uninitialized_tensor");
        return (ulong)handle;
    }

    /// <summary>An optional that holds a word; the callee frees it.</summary>
    /// <param name="word">The held word.</param>
    public static ulong Some(ulong word)
    {
        ulong* cell = (ulong*)NativeMemory.Alloc(8); // one word
        *cell = word;
        return (ulong)cell;
    }

    /// <summary>A list of words (integers, or owned tensor handles).</summary>
    /// <param name="words">The elements.</param>
    public static ulong NewList(ReadOnlySpan<ulong> words)
    {
        IntPtr list;
        Check(_newList((nuint)words.Length, &list), "torch_new_list_reserve_size");
        foreach (ulong word in words)
        {
            Check(_push(list, word), "torch_list_push_back");
        }

        return (ulong)list;
    }

    /// <summary>Takes a result list apart and frees it.</summary>
    /// <param name="list">The list's word.</param>
    public static ulong[] TakeList(ulong list)
    {
        nuint count;
        Check(_listSize((IntPtr)list, &count), "torch_list_size");
        ulong[] words = new ulong[(int)count];
        for (int i = 0; i < words.Length; i++)
        {
            ulong word;
            Check(_listGet((IntPtr)list, (nuint)i, &word), "torch_list_get_item");
            words[i] = word;
        }

        Check(_listDelete((IntPtr)list), "torch_delete_list");
        return words;
    }

    /// <summary>A string argument.</summary>
    /// <param name="text">The text.</param>
    public static ulong NewString(ReadOnlySpan<byte> text)
    {
        IntPtr handle;
        fixed (byte* p = text)
        {
            Check(_newString(p, (nuint)text.Length, &handle), "torch_new_string_handle");
        }

        return (ulong)handle;
    }

    /// <summary>A CPU tensor over memory that it does not own and never frees.</summary>
    /// <param name="data">First byte of the first element.</param>
    /// <param name="sizes">Extent of each dimension.</param>
    /// <param name="strides">Elements between neighbours of each dimension.</param>
    /// <param name="scalarType">c10's number of the dtype.</param>
    public static IntPtr FromBlob(void* data, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, int scalarType)
    {
        IntPtr handle;
        fixed (long* s = sizes)
        fixed (long* t = strides)
        {
            Check(_fromBlob(data, sizes.Length, s, t, 0, scalarType, 0, -1, &handle), "aoti_torch_create_tensor_from_blob");
        }

        return handle;
    }

    /// <summary>Address of a tensor's first element.</summary>
    /// <param name="tensor">TorchSharp's <c>Tensor.Handle</c>.</param>
    public static void* DataPointer(IntPtr tensor)
    {
        void* data;
        Check(_dataPointer(tensor, &data), "aoti_torch_get_data_ptr");
        return data;
    }

    /// <summary>Runs <paramref name="body"/> over <c>[begin, end)</c> in pieces on libtorch's own thread pool.</summary>
    /// <param name="begin">First index.</param>
    /// <param name="end">One past the last index.</param>
    /// <param name="grain">Smallest piece worth a thread.</param>
    /// <param name="body">Called with the bounds of a piece and <paramref name="context"/>; must not throw.</param>
    /// <param name="context">Passed on.</param>
    public static void ParallelFor(
        long begin, long end, long grain, delegate* unmanaged<long, long, void*, void> body, void* context) =>
        Check(_parallelFor(begin, end, grain, body, context), "torch_parallel_for");

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new NativeException($"{function} failed with code {code}; libtorch's reason stands on standard error above.");
        }
    }
}
