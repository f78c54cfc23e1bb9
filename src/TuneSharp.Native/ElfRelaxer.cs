using System.Buffers.Binary;
using System.Text;

namespace TuneSharp.Native;

/// <summary>Lets a Linux library load where its newest C++ runtime version is missing, if it never calls into it.</summary>
/// <remarks>
/// TorchSharp 0.107 asks for <c>GLIBCXX_3.4.32</c> only through <c>std::ios_base_library_init</c>, a marker symbol that
/// no code calls. Debian 12 and Ubuntu 22.04 have an older runtime. In a copy of the file the version need and its symbols are
/// marked weak, so that the loader accepts their absence. The original is never touched.
/// Layout: System V ABI, ELF-64; symbol versioning as in the Linux Standard Base.
/// </remarks>
internal static class ElfRelaxer
{
    private const string Version = "GLIBCXX_3.4.32";
    private const uint SectionDynSym = 11;
    private const uint SectionVerSym = 0x6fffffff;
    private const uint SectionVerNeed = 0x6ffffffe;

    /// <summary>Writes a relaxed copy of <paramref name="source"/>; false when the file has no such need.</summary>
    public static bool WriteRelaxedCopy(string source, string destination)
    {
        byte[] file = File.ReadAllBytes(source);
        if (file.Length < 64 || file[0] != 0x7f || file[1] != 'E' || file[2] != 'L' || file[3] != 'F' || file[4] != 2)
        {
            return false;
        }

        if (!Relax(file))
        {
            return false;
        }

        string temporary = $"{destination}.{Environment.ProcessId}.tmp"; // several ranks may start at once
        File.WriteAllBytes(temporary, file);
        File.Move(temporary, destination, overwrite: true);
        return true;
    }

    private static bool Relax(byte[] file)
    {
        long sections = (long)U64(file, 0x28);
        int sectionSize = U16(file, 0x3A);
        int sectionCount = U16(file, 0x3C);
        long Header(int i) => sections + ((long)i * sectionSize);
        long Offset(int i) => (long)U64(file, Header(i) + 0x18);

        int dynSym = -1, verSym = -1, verNeed = -1;
        for (int i = 0; i < sectionCount; i++)
        {
            switch (U32(file, Header(i) + 4))
            {
                case SectionDynSym: dynSym = i; break;
                case SectionVerSym: verSym = i; break;
                case SectionVerNeed: verNeed = i; break;
            }
        }

        if (dynSym < 0 || verSym < 0 || verNeed < 0)
        {
            return false;
        }

        long strings = Offset((int)U32(file, Header(verNeed) + 0x28));
        HashSet<int> weak = MarkVersionWeak(file, Offset(verNeed), U32(file, Header(verNeed) + 0x2C), strings);
        if (weak.Count == 0)
        {
            return false;
        }

        long symbols = Offset(dynSym);
        long versions = Offset(verSym);
        int symbolCount = (int)(U64(file, Header(dynSym) + 0x20) / 24);
        for (int i = 0; i < symbolCount; i++)
        {
            bool undefined = U16(file, symbols + (24L * i) + 6) == 0;
            if (undefined && weak.Contains(U16(file, versions + (2L * i)) & 0x7fff))
            {
                long info = symbols + (24L * i) + 4;
                file[info] = (byte)((2 << 4) | (file[info] & 15)); // binding STB_WEAK, type kept
            }
        }

        return true;
    }

    private static HashSet<int> MarkVersionWeak(byte[] file, long need, uint count, long strings)
    {
        HashSet<int> weak = [];
        for (; count > 0; count--)
        {
            long entry = need + U32(file, need + 8); // vn_aux
            for (int k = U16(file, need + 2); k > 0; k--) // vn_cnt
            {
                if (Text(file, strings + U32(file, entry + 8)) == Version) // vna_name
                {
                    weak.Add(U16(file, entry + 6) & 0x7fff); // vna_other
                    BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan((int)entry + 4), 2); // VER_FLG_WEAK
                }

                entry += U32(file, entry + 12); // vna_next
            }

            need += U32(file, need + 12); // vn_next
        }

        return weak;
    }

    private static ulong U64(byte[] b, long o) => BinaryPrimitives.ReadUInt64LittleEndian(b.AsSpan((int)o));

    private static uint U32(byte[] b, long o) => BinaryPrimitives.ReadUInt32LittleEndian(b.AsSpan((int)o));

    private static ushort U16(byte[] b, long o) => BinaryPrimitives.ReadUInt16LittleEndian(b.AsSpan((int)o));

    private static string Text(byte[] b, long o)
    {
        int end = Array.IndexOf(b, (byte)0, (int)o);
        return Encoding.ASCII.GetString(b, (int)o, end - (int)o);
    }
}
