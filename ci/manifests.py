"""What is checked of deploy/ with other readers than the project's own; run by ci/deploy.sh.

usage: manifests.py ecs|queries|yaml FOLDER [DUMPED]
  ecs      the requests in FOLDER/ecs fit the models of the services
  queries  the queries of Grafana and KEDA in FOLDER are PromQL
  yaml     what the Go tests have read of FOLDER's YAML, in DUMPED, is what PyYAML reads
"""

import json
import pathlib
import sys

requests = {
    "task-definition.json": ("ecs", "RegisterTaskDefinition"),
    "service.json": ("ecs", "CreateService"),
    "scalable-target.json": ("application-autoscaling", "RegisterScalableTarget"),
    "scaling-policy.json": ("application-autoscaling", "PutScalingPolicy"),
}


def ecs(folder):
    import botocore.session
    from botocore.validate import ParamValidator

    def strangers(shape, value, at):
        """Values that are not in the list of an enumeration, which botocore leaves to the service."""
        if shape.type_name == "structure":
            for name, inner in value.items():
                yield from strangers(shape.members[name], inner, f"{at}.{name}")
        elif shape.type_name == "list":
            for i, inner in enumerate(value):
                yield from strangers(shape.member, inner, f"{at}[{i}]")
        elif shape.type_name == "string" and shape.enum and value not in shape.enum:
            yield f"{at} is {value!r}, want one of {', '.join(shape.enum)}"

    session, wrong = botocore.session.Session(), []
    there = {f.name for f in (folder / "ecs").iterdir()}
    if there != set(requests):
        wrong.append(f"ecs has {sorted(there)}, want {sorted(requests)}")
    for name, (service, operation) in requests.items():
        shape = session.get_service_model(service).operation_model(operation).input_shape
        body = json.loads((folder / "ecs" / name).read_text())
        report = ParamValidator().validate(body, shape)
        if report.has_errors():
            wrong.append(f"{name}: {report.generate_report()}")
        else:
            wrong += strangers(shape, body, name)
    return wrong, f"{len(requests)} requests"


def queries(folder):
    import promql_parser
    import yaml

    found, wrong = [], []
    for panel in json.loads((folder / "dashboards/grafana.json").read_text())["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", [])]
    for trigger in yaml.safe_load((folder / "kubernetes/scaledobject.yaml").read_text())["spec"]["triggers"]:
        found.append((trigger["name"], trigger["metadata"]["query"]))
    for where, query in found:
        try:
            promql_parser.parse(query.replace("$__rate_interval", "5m"))
        except Exception as error:
            wrong.append(f"{where}: {query}: {error}")
    return wrong, f"{len(found)} queries"


def same(folder, dumped):
    import yaml

    class Templates(yaml.SafeLoader):
        """The short forms of CloudFormation's functions, in their long forms."""

    def function(loader, tag, node):
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if tag in ("Ref", "Condition"):
            return {tag: value}
        return {"Fn::" + tag: value.split(".", 1) if tag == "GetAtt" else value}

    Templates.add_multi_constructor("!", function)
    # Nothing here is a date: what looks like one is a text.
    Templates.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    wrong, files = [], sorted(folder.glob("*/*.yaml"))
    for file in files:
        ours = dumped / ("+".join(file.relative_to(folder).parts) + ".json")
        if not ours.exists():
            wrong.append(f"{file}: the tests have not read it")
        elif json.loads(ours.read_text()) != yaml.load(file.read_text(), Templates):
            wrong.append(f"{file}: PyYAML reads something else than the tests")
    return wrong, f"{len(files)} files"


def main():
    what, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if what == "yaml":
        wrong, seen = same(folder, pathlib.Path(sys.argv[3]))
    else:
        wrong, seen = {"ecs": ecs, "queries": queries}[what](folder)
    for line in wrong:
        print(line)
    print(f"{what}: {seen}, {len(wrong)} wrong")
    sys.exit(1 if wrong else 0)


main()
