using System.Globalization;
using System.Numerics;

namespace TuneSharp.Templates;

/// <content>Sequences: choosing, ordering, grouping.</content>
internal static partial class Filters
{
    private static Func<object?, object?> AttributeGetter(object? attribute, object? otherwise, bool ignoreCase)
    {
        object[] parts = attribute switch
        {
            null => [],
            string or Markup => [.. Operators.AsText(attribute)!.Split('.').Select(p =>
                p.Length > 0 && p.All(char.IsAsciiDigit) ? (object)BigInteger.Parse(p, CultureInfo.InvariantCulture) : p)],
            _ => [attribute],
        };
        return item =>
        {
            Budget.Step();
            foreach (object part in parts)
            {
                item = Members.Item(item, part);
                item = item is Undefined && otherwise is not null ? otherwise : item;
            }

            return ignoreCase ? Lowered(item) : item;
        };
    }

    private static object? Lowered(object? item) => item is Markup m ? CodePoints.Lower(m.Text) : item is string s ? CodePoints.Lower(s) : item;

    private static Func<object?, object?> MultiGetter(object? attribute, bool ignoreCase)
    {
        Func<object?, object?>[] getters = Operators.AsText(attribute) is { } names
            ? [.. names.Split(',').Select(n => AttributeGetter(n, null, ignoreCase))]
            : [AttributeGetter(attribute, null, ignoreCase)];
        return item => new PyList([.. getters.Select(g => g(item))]);
    }

    private static object DictSort(object?[] a)
    {
        string by = Repr.Str(Or(a[2], "key"));
        if (by is not ("key" or "value"))
        {
            throw TemplateException.Argument("You can only sort by either \"key\" or \"value\"");
        }

        if (a[0] is not PyDict dict)
        {
            throw a[0] is Undefined u ? u.Failure()
                : new TemplateException("AttributeError", $"'{PyType.Name(a[0])}' object has no attribute 'items'");
        }

        bool ignoreCase = !Arguments.Flag(a[1]);
        return new PyList(Sorting.Sort(
            [.. new DictView(dict, "dict_items").Items()],
            p => ((PyTuple)p!).Items[by == "key" ? 0 : 1] is var part && ignoreCase ? Lowered(part) : part,
            Arguments.Flag(a[3])));
    }

    private static object GroupBy(object?[] a)
    {
        bool ignoreCase = !Arguments.Flag(a[3]);
        object? otherwise = Or(a[2], null);
        Func<object?, object?> key = AttributeGetter(a[1], otherwise, ignoreCase);
        Func<object?, object?> shown = AttributeGetter(a[1], otherwise, false);
        List<object?> groups = [];
        List<object?>? members = null;
        object? current = null;
        foreach (object? item in Sorting.Sort(Operators.ToList(a[0]), key, false))
        {
            object? itemKey = key(item);
            if (members is null || !Operators.Equal(current, itemKey))
            {
                members = [];
                current = itemKey;
                groups.Add(new PyTuple([shown(item), new PyList(members)], ["grouper", "list"]));
            }

            members.Add(item);
        }

        return new PyList(groups);
    }

    private static object? Extreme(object?[] a, string symbol)
    {
        Func<object?, object?> key = AttributeGetter(Or(a[2], null), null, !Arguments.Flag(a[1]));
        object? best = null;
        object? bestKey = null;
        bool any = false;
        foreach (object? item in Operators.Iterate(a[0]))
        {
            object? itemKey = key(item);
            if (!any || Operators.Ordered(itemKey, bestKey, symbol))
            {
                (best, bestKey, any) = (item, itemKey, true);
            }
        }

        return any ? best : Undefined.Hint("No aggregated item, sequence was empty.");
    }

    private static object? Sum(object?[] a)
    {
        Func<object?, object?> get = AttributeGetter(Or(a[1], null), null, false);
        object? total = Or(a[2], BigInteger.Zero);
        if (Operators.IsText(total))
        {
            throw TemplateException.Type("sum() can't sum strings [use ''.join(seq) instead]");
        }

        foreach (object? item in Operators.Iterate(a[0]))
        {
            total = Operators.Binary("+", total, get(item));
        }

        return total;
    }

    private static IEnumerable<object?> Unique(object? value, Func<object?, object?> key)
    {
        PyDict seen = new();
        foreach (object? item in Operators.Iterate(value))
        {
            object? k = key(item);
            if (!PyDict.IsHashable(k))
            {
                throw TemplateException.Type($"cannot use '{PyType.Name(k)}' as a set element (unhashable type: '{PyType.Name(k)}')");
            }

            if (!seen.Contains(k))
            {
                seen.Set(k, null);
                yield return item;
            }
        }
    }

    private static PyIterator Map(Arguments a)
    {
        if (a.Positional.Count == 0)
        {
            throw TemplateException.Type("sync_do_map() missing 1 required positional argument: 'value'");
        }

        return Generator(Mapped(a));
    }

    private static IEnumerable<object?> Mapped(Arguments a)
    {
        object? value = a.Positional[0];
        if (!Operators.Truth(value))
        {
            yield break;
        }

        Func<object?, object?> get;
        if (a.Positional.Count == 1 && a.HasNamed && a.Named.TryGet("attribute", out object? attribute))
        {
            a.Named.TryGet("default", out object? otherwise);
            if (a.Named.Keys.FirstOrDefault(k => k is not ("attribute" or "default")) is { } other)
            {
                throw TemplateException.Argument($"Unexpected keyword argument {Repr.Of(other)}");
            }

            get = AttributeGetter(attribute, otherwise, false);
        }
        else
        {
            string name = a.Positional.Count > 1 ? Repr.Str(a.Positional[1]) : throw TemplateException.Argument("map requires a filter argument");
            Func<Arguments, object?> filter = Find(name) ?? throw TemplateException.Runtime($"No filter named {Repr.Of(name)}.");
            get = item => filter(new Arguments([item, .. a.Positional.Skip(2)], a.HasNamed ? a.Named : null));
        }

        foreach (object? item in Operators.Iterate(value))
        {
            Budget.Step();
            yield return get(item);
        }
    }

    private static PyIterator Select(Arguments a, string name, bool keep, bool byAttribute)
    {
        if (a.Positional.Count == 0)
        {
            throw TemplateException.Type($"sync_do_{name}() missing 1 required positional argument: 'value'");
        }

        return Generator(Selected(a, keep, byAttribute));
    }

    private static IEnumerable<object?> Selected(Arguments a, bool keep, bool byAttribute)
    {
        object? value = a.Positional[0];
        if (!Operators.Truth(value))
        {
            yield break;
        }

        Func<object?, object?> get = item => item;
        int at = 1;
        if (byAttribute)
        {
            get = a.Positional.Count > 1 ? AttributeGetter(a.Positional[at++], null, false) : throw TemplateException.Argument("Missing parameter for attribute name");
        }

        Func<object?, bool> test = Operators.Truth;
        if (a.Positional.Count > at)
        {
            string name = Repr.Str(a.Positional[at]);
            Func<Arguments, object?> found = Tests.Find(name) ?? throw TemplateException.Runtime($"No test named {Repr.Of(name)}.");
            object?[] rest = [.. a.Positional.Skip(at + 1)];
            test = item => Operators.Truth(found(new Arguments([item, .. rest], a.HasNamed ? a.Named : null)));
        }

        foreach (object? item in Operators.Iterate(value))
        {
            Budget.Step();
            if (test(get(item)) == keep)
            {
                yield return item;
            }
        }
    }
}

/// <summary>Python's <c>sorted</c>: stable, and asking only whether a later item is less than an earlier one.</summary>
internal static class Sorting
{
    private const int InsertionLength = 64;

    public static List<object?> Sort(List<object?> items, Func<object?, object?> key, bool reverse)
    {
        (object? Key, object? Item)[] keyed = [.. items.Select(i => (key(i), i))];
        if (reverse)
        {
            Array.Reverse(keyed); // twice reversed, equal items keep their order
        }

        MergeSort(keyed, new (object?, object?)[keyed.Length], 0, keyed.Length);
        if (reverse)
        {
            Array.Reverse(keyed);
        }

        return [.. keyed.Select(k => k.Item)];
    }

    /// <summary>As Python does with short lists, so that of several pairs that cannot be compared the same one is named.</summary>
    private static void Insertion((object? Key, object? Item)[] items, int start, int end)
    {
        for (int i = start + 1; i < end; i++)
        {
            (object? Key, object? Item) moved = items[i];
            int low = start;
            int high = i;
            if (!Operators.Ordered(moved.Key, items[i - 1].Key, "<"))
            {
                continue; // in its place
            }

            high--;
            while (low < high)
            {
                Budget.Step();
                int middle = (low + high) / 2;
                (low, high) = Operators.Ordered(moved.Key, items[middle].Key, "<") ? (low, middle) : (middle + 1, high);
            }

            Array.Copy(items, low, items, low + 1, i - low);
            items[low] = moved;
        }
    }

    private static void MergeSort((object? Key, object? Item)[] items, (object? Key, object? Item)[] spare, int start, int end)
    {
        if (end - start <= InsertionLength)
        {
            Insertion(items, start, end);
            return;
        }

        int middle = (start + end) / 2;
        MergeSort(items, spare, start, middle);
        MergeSort(items, spare, middle, end);
        int left = start;
        int right = middle;
        for (int i = start; i < end; i++)
        {
            Budget.Step();
            bool takeRight = left >= middle || (right < end && Operators.Ordered(items[right].Key, items[left].Key, "<"));
            spare[i] = takeRight ? items[right++] : items[left++];
        }

        Array.Copy(spare, start, items, start, end - start);
    }
}
