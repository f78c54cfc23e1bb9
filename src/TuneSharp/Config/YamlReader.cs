using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using Scalar = YamlDotNet.Core.Events.Scalar;

namespace TuneSharp.Config;

/// <summary>Reads YAML into nodes that know their places. Anchors, aliases and merge keys are expanded.</summary>
internal sealed class YamlReader
{
    // Far beyond any config; they stop files whose aliases multiply, and towers of brackets.
    private const int MaxNodes = 100_000;
    private const int MaxDepth = 100;

    private readonly string _file;
    private readonly Parser _parser;
    private readonly List<ConfigProblem> _problems;
    private readonly Dictionary<AnchorName, ConfigNode?> _anchors = [];
    private int _nodes;
    private int _depth;

    private YamlReader(string text, string file, List<ConfigProblem> problems)
    {
        _file = file;
        _problems = problems;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>Reads a whole config.</summary>
    /// <param name="text">The YAML.</param>
    /// <param name="file">Its name in messages.</param>
    /// <param name="problems">Takes what is wrong but does not stop reading, such as a key given twice.</param>
    /// <exception cref="ConfigException">It is not YAML, or not a mapping.</exception>
    public static ConfigMapping ReadDocument(string text, string file, List<ConfigProblem> problems) =>
        new YamlReader(text, file, problems).ReadAll() switch
        {
            ConfigMapping mapping => mapping,
            ConfigNode other => throw new ConfigException([Problem(other.Place, "a config is a list of `key: value` lines; this file is not")]),
            null => throw new ConfigException([new(file, 1, 1, "the file is empty. `tune ls` lists configs to copy from with `tune cp`.")]),
        };

    /// <summary>Reads one value of the command line.</summary>
    /// <exception cref="ConfigException">It is not YAML.</exception>
    public static ConfigNode ReadValue(string text)
    {
        List<ConfigProblem> problems = [];
        ConfigNode? node = text == "None" ? null : new YamlReader(text, ConfigPlace.CommandLine.File, problems).ReadAll();
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        node ??= new ConfigScalar(null, "", ConfigPlace.CommandLine);
        node.Words = text;
        return node;
    }

    private static ConfigProblem Problem(ConfigPlace place, string message) => new(place.File, place.Line, place.Column, message);

    private ConfigNode? ReadAll()
    {
        try
        {
            _parser.Consume<StreamStart>();
            if (_parser.TryConsume<StreamEnd>(out _))
            {
                return null;
            }

            _parser.Consume<DocumentStart>();
            ConfigNode root = ReadNode();
            _parser.Consume<DocumentEnd>();
            if (!_parser.Accept<StreamEnd>(out _))
            {
                throw Stop(_parser.Current!.Start, "a second document begins here; a config is one document. Remove the `---`.");
            }

            return root is ConfigScalar { Value: null, IsQuoted: false } ? null : root;
        }
        catch (YamlException e)
        {
            string words = e.Message;
            int at = words.IndexOf("): ", StringComparison.Ordinal); // the parser puts its own place first
            throw Stop(e.Start, $"not valid YAML: {(at >= 0 ? words[(at + 3)..] : words).TrimEnd('.')}.");
        }
    }

    private ConfigNode ReadNode()
    {
        ParsingEvent current = _parser.Current ?? throw new YamlException("the text ends too early");
        if (++_nodes > MaxNodes || _depth > MaxDepth)
        {
            throw Stop(current.Start, "the file is too large or too deeply nested to be a config.");
        }

        if (_parser.TryConsume<AnchorAlias>(out AnchorAlias? alias))
        {
            return ReadAlias(alias);
        }

        NodeEvent start = (NodeEvent)current;
        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor] = null; // an alias inside its own anchor finds null
        }

        _depth++;
        ConfigNode node = start switch
        {
            Scalar => ReadScalar(),
            SequenceStart => ReadSequence(),
            _ => ReadMapping(),
        };
        _depth--;
        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor] = node;
        }

        return node;
    }

    private ConfigNode ReadAlias(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value, out ConfigNode? target))
        {
            throw Stop(alias.Start, $"*{alias.Value} is not defined above; an anchor is written &{alias.Value}.");
        }

        ConfigNode node = (target ?? throw Stop(alias.Start, $"*{alias.Value} contains itself.")).Clone();
        _nodes += Count(node);
        if (_nodes > MaxNodes)
        {
            throw Stop(alias.Start, "the file's aliases multiply beyond any sensible config.");
        }

        return node;
    }

    private static int Count(ConfigNode node) => node switch
    {
        ConfigMapping m => 1 + m.Entries.Sum(e => Count(e.Node)),
        ConfigSequence s => 1 + s.Items.Sum(Count),
        _ => 1,
    };

    private ConfigScalar ReadScalar()
    {
        Scalar scalar = _parser.Consume<Scalar>();
        ConfigPlace place = PlaceOf(scalar.Start);
        string tag = scalar.Tag.IsEmpty ? "" : scalar.Tag.Value;
        bool isText = tag is "tag:yaml.org,2002:str" or "!" || (tag.Length == 0 && scalar.Style != ScalarStyle.Plain);
        object? value = isText ? scalar.Value : YamlScalars.Resolve(scalar.Value);
        bool tagFits = isText || tag.Length == 0 || value switch
        {
            null => tag == "tag:yaml.org,2002:null",
            bool => tag == "tag:yaml.org,2002:bool",
            long => tag is "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float",
            double => tag == "tag:yaml.org,2002:float",
            _ => false,
        };
        if (!tagFits)
        {
            _problems.Add(Problem(place, $"the tag {tag} does not fit `{scalar.Value}`; configs use !!str, !!int, !!float, !!bool and !!null only."));
        }

        return new ConfigScalar(value, scalar.Value, place, isText);
    }

    private ConfigSequence ReadSequence()
    {
        SequenceStart start = _parser.Consume<SequenceStart>();
        List<ConfigNode> items = [];
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode());
        }

        return new ConfigSequence(items, PlaceOf(start.Start));
    }

    private ConfigMapping ReadMapping()
    {
        MappingStart start = _parser.Consume<MappingStart>();
        ConfigMapping mapping = new(PlaceOf(start.Start));
        List<ConfigMapping> merged = [];
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (ReadNode() is not ConfigScalar key)
            {
                throw Stop(start.Start, "a key must be a single word, not a list or a mapping.");
            }

            ConfigNode value = ReadNode();
            if (key is { Text: "<<", IsQuoted: false })
            {
                merged.AddRange(MergeSources(value));
            }
            else if (mapping.Find(key.Text) is { } first)
            {
                _problems.Add(Problem(key.Place, string.Create(CultureInfo.InvariantCulture,
                    $"{key.Text} is given twice: here and at line {first.KeyPlace.Line}, column {first.KeyPlace.Column}. Remove one.")));
            }
            else
            {
                mapping.Set(key.Text, value, key.Place);
            }
        }

        // What the mapping says itself wins over what it merges in; earlier merges win over later ones.
        foreach (ConfigEntry entry in merged.SelectMany(m => m.Entries).Where(e => mapping.Find(e.Key) is null).ToList())
        {
            if (mapping.Find(entry.Key) is null)
            {
                mapping.Set(entry.Key, entry.Node.Clone(), entry.KeyPlace);
            }
        }

        return mapping;
    }

    private IEnumerable<ConfigMapping> MergeSources(ConfigNode value)
    {
        foreach (ConfigNode source in value is ConfigSequence list ? list.Items : [value])
        {
            if (source is ConfigMapping mapping)
            {
                yield return mapping;
            }
            else
            {
                _problems.Add(Problem(source.Place, "<< merges a mapping (or a list of mappings) in; this is neither."));
            }
        }
    }

    private ConfigPlace PlaceOf(Mark mark) =>
        _file == ConfigPlace.CommandLine.File ? ConfigPlace.CommandLine : new(_file, (int)mark.Line, (int)mark.Column);

    private ConfigException Stop(Mark mark, string message) => new([.. _problems, Problem(PlaceOf(mark), message)]);
}
