using System.Numerics;

namespace TuneSharp.Templates;

/// <content>Subscripts and slices.</content>
internal static partial class Operators
{
    /// <summary>A slice's bounds as they were written; null where one was left out.</summary>
    internal sealed record Slice(object? Start, object? Stop, object? Step);

    /// <summary><c>value[key]</c>; false where Python raises a TypeError or a LookupError, which a template sees as undefined.</summary>
    public static bool TrySubscript(object? value, object? key, out object? item)
    {
        item = null;
        switch (value)
        {
            case PyDict d:
                return key is not Slice && PyDict.IsHashable(key) && d.TryGet(key, out item);
            case PyList or PyTuple or string or Markup or PyRange or PyBytes:
                if (key is Slice slice)
                {
                    return TrySlice(value, slice, out item);
                }

                if (AsNumber(key) is not BigInteger index)
                {
                    return false;
                }

                int length = Length(value);
                index = index.Sign < 0 ? index + length : index;
                if (index.Sign < 0 || index >= length)
                {
                    return false;
                }

                item = At(value, (int)index);
                return true;
            case Undefined u:
                throw u.Failure();
            default:
                return false;
        }
    }

    private static object? At(object value, int index) => value switch
    {
        PyList l => l.Items[index],
        PyTuple t => t.Items[index],
        string s => CodePoints.Slice(s, index, 1, 1),
        Markup m => new Markup(CodePoints.Slice(m.Text, index, 1, 1)),
        PyRange r => r.At(index),
        _ => (BigInteger)((PyBytes)value).Bytes[index],
    };

    private static bool TrySlice(object value, Slice slice, out object? result)
    {
        result = null;
        if (!Index(slice.Start, out BigInteger? from) || !Index(slice.Stop, out BigInteger? to) || !Index(slice.Step, out BigInteger? by))
        {
            return false; // "slice indices must be integers": a TypeError
        }

        int length = Length(value);
        BigInteger step = by ?? 1;
        if (step.IsZero)
        {
            throw TemplateException.Value("slice step cannot be zero");
        }

        int stride = (int)BigInteger.Max(-length - 1, BigInteger.Min(step, length + 1));
        int lower = stride < 0 ? -1 : 0;
        int upper = stride < 0 ? length - 1 : length;
        int start = Bound(from, length, lower, upper, stride < 0 ? upper : lower);
        int stop = Bound(to, length, lower, upper, stride < 0 ? lower : upper);
        int count = stride > 0 ? (stop > start ? ((stop - start - 1) / stride) + 1 : 0) : (start > stop ? ((start - stop - 1) / -stride) + 1 : 0);
        Budget.Step(count >> 3);
        result = value switch
        {
            PyList l => new PyList([.. Pick(l.Items, start, stride, count)]),
            PyTuple t => new PyTuple([.. Pick(t.Items, start, stride, count)]),
            string s => CodePoints.Slice(s, start, stride, count),
            Markup m => new Markup(CodePoints.Slice(m.Text, start, stride, count)),
            PyRange r => new PyRange(r.Start + (r.Step * start), r.Start + (r.Step * stop), r.Step * stride),
            _ => new PyBytes([.. Pick(((PyBytes)value).Bytes, start, stride, count)]),
        };
        return true;
    }

    private static IEnumerable<T> Pick<T>(IList<T> items, int start, int step, int count) =>
        Enumerable.Range(0, count).Select(i => items[start + (i * step)]);

    private static int Bound(BigInteger? given, int length, int lower, int upper, int absent)
    {
        if (given is not { } at)
        {
            return absent;
        }

        at = at.Sign < 0 ? at + length : at;
        return (int)BigInteger.Max(lower, BigInteger.Min(at, upper));
    }

    private static bool Index(object? value, out BigInteger? index)
    {
        index = AsNumber(value) is BigInteger i ? i : null;
        return value is Undefined u ? throw u.Failure() : value is null || index is not null;
    }
}
