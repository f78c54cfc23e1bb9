using System.Reflection;

namespace TuneSharp.Config;

/// <content>Components: the name, then every parameter of what it names.</content>
internal sealed partial class ConfigBinder
{
    private object? BindComponent(Type type, Type result, ConfigNode node, string path)
    {
        ConfigMapping mapping;
        ConfigScalar name;
        if (node is ConfigScalar { Value: string } bare)
        {
            (mapping, name) = (new ConfigMapping(node.Place), bare); // a word alone: a component with its defaults
        }
        else if (node is ConfigMapping { } given && given[ConfigMapping.ComponentKey] is ConfigScalar { Value: string } named)
        {
            (mapping, name) = (given, named);
        }
        else if (node is ConfigMapping { } broken && broken[ConfigMapping.ComponentKey] is ConfigScalar { IsBroken: true })
        {
            return Failed;
        }
        else
        {
            return Fail(node, $"{path} must name a component: `_component_: NAME` (or `type: NAME`) with its arguments.");
        }

        if (ComponentRegistry.Find((string)name.Value!) is not { } info)
        {
            return FailUnknown(name, (string)name.Value!, result, path);
        }

        if (!result.IsAssignableFrom(info.Result))
        {
            string[] fitting = [.. ComponentRegistry.Names.Where(n => result.IsAssignableFrom(ComponentRegistry.Find(n)!.Result))];
            string choices = fitting.Length == 0 ? "" : $" Choose one of: {string.Join(", ", fitting.Take(12))}{(fitting.Length > 12 ? ", …" : "")}.";
            return Fail(name, $"{path}: {info.Name} makes a {ConfigText.NameOf(info.Result)}, and a {ConfigText.NameOf(result)} belongs here.{choices}");
        }

        int before = problems.Count;
        ComponentPlan plan = new(info);
        List<string> known = [ConfigMapping.ComponentKey];
        bool good = true;
        object? instance = null;
        if (info.Factory is ConstructorInfo && ConfigTypes.IsRecord(info.Result) && ConfigTypes.IsBindable(info.Result))
        {
            instance = BindRecordComponent(plan, mapping, path, known);
            good = !ReferenceEquals(instance, Failed);
        }
        else
        {
            foreach (ParameterInfo parameter in info.Factory.GetParameters())
            {
                good &= BindParameter(plan, parameter, mapping, path, known);
            }
        }

        RejectUnknown(mapping, path + ".", known, $": not a parameter of {info.Name}");
        return good && problems.Count == before
            ? Activator.CreateInstance(type, info.Name, plan.Arguments, (Func<object?[], object?>)(runtime => plan.Build(runtime, instance)))
            : Failed;
    }

    private object FailUnknown(ConfigScalar place, string name, Type result, string path)
    {
        if (TorchtuneGaps.OfComponent(name) is not { } gap)
        {
            return Fail(place, $"{path}: {ComponentRegistry.Explain(name, result)}");
        }

        problems.Add(new GapProblem(place.Place.File, place.Place.Line, place.Place.Column, name, gap));
        return Failed;
    }

    /// <summary>A component that is itself a record takes its members, and is finished when it is bound.</summary>
    private object? BindRecordComponent(ComponentPlan plan, ConfigMapping mapping, string path, List<string> known)
    {
        object? instance = BindRecord(plan.Info.Result, mapping, path + ".", plan.Info.Name, out List<string> keys);
        known.AddRange(keys);
        if (!ReferenceEquals(instance, Failed))
        {
            ConfigText.AddMembers(plan.Arguments, instance!);
        }

        return instance;
    }

    private bool BindParameter(ComponentPlan plan, ParameterInfo parameter, ConfigMapping mapping, string path, List<string> known)
    {
        Type type = parameter.ParameterType;
        ConfigMember member = ConfigMember.Of(parameter);
        bool isMarked = parameter.IsDefined(typeof(RuntimeAttribute));
        if (isMarked || !ConfigTypes.IsBindable(type))
        {
            // A config may give what the recipe would have given, if it is a component.
            if (!isMarked && mapping[member.Key] is ConfigMapping nested && nested[ConfigMapping.ComponentKey] is not null)
            {
                known.Add(member.Key);
                object? component = Bind(typeof(Component<>).MakeGenericType(type), isNullable: false, nested, $"{path}.{member.Key}");
                plan.AddNested(member.Key, component as IComponent);
                return !ReferenceEquals(component, Failed);
            }

            plan.AddRuntime(parameter);
            return true;
        }

        if (ConfigTypes.IsRecord(type))
        {
            return BindFlattened(plan, member, mapping, path, known);
        }

        known.Add(member.Key);
        object? value = BindMember(member, mapping, path + ".", plan.Info.Name);
        plan.AddValue(member.Key, value);
        return !ReferenceEquals(value, Failed);
    }

    private bool BindFlattened(ComponentPlan plan, ConfigMember member, ConfigMapping mapping, string path, List<string> known)
    {
        // An empty key that is empty by default is as good as absent: another record of this component may have written it (cache_dir).
        bool isGiven = RecordShape.Of(member.Type).Members.Any(m => mapping.Find(m.Key) is { } entry
            && (m.IsRequired || m.Default is not null || entry.Node is not ConfigScalar { Value: null, IsBroken: false }));
        if (!isGiven && !member.IsRequired && member.Default is null)
        {
            known.AddRange(RecordShape.Of(member.Type).Members.Select(m => m.Key));
            plan.AddRecord(null);
            return true;
        }

        object? record = BindRecord(member.Type, mapping, path + ".", plan.Info.Name, out List<string> keys);
        known.AddRange(keys);
        bool good = !ReferenceEquals(record, Failed);
        plan.AddRecord(good ? record : null);
        return good;
    }
}
