namespace TuneSharp.Tokenizers;

/// <summary>What a piece is for.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>How text becomes pieces.</summary>
internal enum PieceModelType
{
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Char = 4,
}

/// <summary>How text is rewritten before and, in a denormalizer, after.</summary>
internal sealed record NormalizerSpec
{
    internal byte[] CharsMap { get; set; } = [];

    internal bool AddDummyPrefix { get; set; } = true;

    internal bool RemoveExtraWhitespaces { get; set; } = true;

    internal bool EscapeWhitespaces { get; set; } = true;
}

/// <summary>The parts of a SentencePiece .model that encoding and decoding need.</summary>
internal sealed class SentencePieceProto
{
    internal List<(byte[] Piece, float Score, PieceType Type)> Pieces { get; } = [];

    internal PieceModelType ModelType { get; private set; } = PieceModelType.Unigram;

    internal bool TreatWhitespaceAsSuffix { get; private set; }

    internal bool ByteFallback { get; private set; }

    internal string UnknownSurface { get; private set; } = " \u2047 ";

    internal string BosPiece { get; private set; } = "<s>";

    internal string EosPiece { get; private set; } = "</s>";

    internal string PadPiece { get; private set; } = "<pad>";

    internal NormalizerSpec Normalizer { get; private set; } = new();

    internal NormalizerSpec? Denormalizer { get; private set; }

    internal static SentencePieceProto Parse(ReadOnlySpan<byte> data)
    {
        SentencePieceProto proto = new();
        ProtoReader reader = new(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    proto.Pieces.Add(ParsePiece(reader.Bytes));
                    break;
                case 2:
                    proto.ParseTrainer(reader.Bytes);
                    break;
                case 3:
                    proto.Normalizer = ParseNormalizer(reader.Bytes);
                    break;
                case 4:
                    // Self-test samples of the trainer.
                    break;
                case 5:
                    proto.Denormalizer = ParseNormalizer(reader.Bytes);
                    break;
                default:
                    // Numbers from 200 on are other programs' extensions.
                    _ = reader.Field >= 200 ? 0 : throw new FormatException($"the message has a field {reader.Field}, which this program does not understand.");
                    break;
            }
        }

        return proto.Pieces.Count > 0 ? proto : throw new FormatException("there are no pieces in it.");
    }

    private static (byte[] Piece, float Score, PieceType Type) ParsePiece(ReadOnlySpan<byte> data)
    {
        byte[] piece = [];
        float score = 0;
        PieceType type = PieceType.Normal;
        ProtoReader reader = new(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    piece = reader.Bytes.ToArray();
                    break;
                case 2:
                    score = reader.Single;
                    break;
                case 3:
                    type = (PieceType)reader.Integer;
                    break;
            }
        }

        return piece.Length == 0 ? throw new FormatException("a piece is empty.")
            : Enum.IsDefined(type) ? (piece, score, type)
            : throw new FormatException($"a piece is of type {(int)type}, which this program does not understand.");
    }

    // The other fields say how the model was trained; they change nothing afterwards.
    private void ParseTrainer(ReadOnlySpan<byte> data)
    {
        ProtoReader reader = new(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    ModelType = (PieceModelType)reader.Integer;
                    break;
                case 24:
                    TreatWhitespaceAsSuffix = reader.Flag;
                    break;
                case 35:
                    ByteFallback = reader.Flag;
                    break;
                case 44:
                    UnknownSurface = reader.Text;
                    break;
                case 46:
                    BosPiece = reader.Text;
                    break;
                case 47:
                    EosPiece = reader.Text;
                    break;
                case 48:
                    PadPiece = reader.Text;
                    break;
            }
        }

        if (!Enum.IsDefined(ModelType))
        {
            throw new FormatException($"the model is of type {(int)ModelType}, which this program does not understand.");
        }
    }

    private static NormalizerSpec ParseNormalizer(ReadOnlySpan<byte> data)
    {
        NormalizerSpec spec = new();
        ProtoReader reader = new(data);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    spec.CharsMap = reader.Bytes.ToArray();
                    break;
                case 3:
                    spec.AddDummyPrefix = reader.Flag;
                    break;
                case 4:
                    spec.RemoveExtraWhitespaces = reader.Flag;
                    break;
                case 5:
                    spec.EscapeWhitespaces = reader.Flag;
                    break;
            }
        }

        return spec;
    }
}
