// TorchSharp.Modules also has a TransformerDecoder: that namespace is never imported, only these names are.
global using TorchSharp;
global using ComponentNameAttribute = TorchSharp.Utils.ComponentNameAttribute;
global using Parameter = TorchSharp.Modules.Parameter;
global using static TorchSharp.torch;
