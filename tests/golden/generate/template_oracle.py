"""Makes tests/golden/templates/oracle.dev.json: what jinja2 answers to the programs in it, set up as transformers sets it up.

    python3 tests/golden/generate/template_oracle.py

Needs jinja2 3.1. Programs whose answers hold addresses, or wording that depends on Python's version, are not in the file.
"""
import datetime
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

FILE = pathlib.Path(__file__).parent.parent / "templates" / "oracle.dev.json"


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main():
    golden = json.loads(FILE.read_text())
    now = datetime.datetime.fromtimestamp(golden["now"], datetime.timezone.utc).replace(tzinfo=None)
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=now.strftime)
    lines = []
    for case in golden["cases"]:
        case = {"name": case["name"], "template": case["template"]}
        try:
            case["rendered"] = env.from_string(case["template"]).render(**golden["variables"])
        except jinja2.exceptions.TemplateSyntaxError as e:
            case["error"] = e.message
        except Exception as e:
            case["error"] = str(e)
        lines.append(json.dumps(case, ensure_ascii=False))
    head = {k: golden[k] for k in ("source", "now", "variables")}
    FILE.write_text(json.dumps(head, ensure_ascii=False)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
