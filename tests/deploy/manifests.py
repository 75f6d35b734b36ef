"""Kubernetes manifests, the Compose project and the settings they give."""

import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

import image

# The version whose schemas manifests are held against.
KUBERNETES = "1.34"
# Kinds that are not Kubernetes' own: no schema of theirs is in the package.
CUSTOM = {
    "Kustomization": "read by kubectl itself",
    "ExternalSecret": "External Secrets Operator",
    "PodMonitor": "Prometheus Operator",
    "PrometheusRule": "Prometheus Operator",
}
# What a server may still do when its drain is over, in seconds: connections, limits, usage rows, when keys were used,
# telemetry.
AFTER_DRAIN_S = 2 + 5 + 5 + 8 + 5
# Files in deploy/kubernetes that kustomization.yaml must not name, and why.
NOT_APPLIED = {"migrate-job.yaml": "run once for each version", "external-secret.example.yaml": "to be changed first"}


def _documents(path):
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def manifests(tree):
    """Every manifest with its file's name; values of charts are none."""
    folder = Path(tree, "deploy/kubernetes")
    for path in sorted(folder.rglob("*.yaml")):
        for document in _documents(path):
            if "kind" in document:
                yield str(path.relative_to(folder)), document


def _one(tree, kind):
    found = [manifest for _, manifest in manifests(tree) if manifest["kind"] == kind]
    assert len(found) == 1, f"deploy/kubernetes must have one {kind}, and has {len(found)}"
    return found[0]


def settings_file(path):
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def schemas(tree):
    """Each manifest is of its kind's schema, without unknown fields."""
    problems = []
    for name, manifest in manifests(tree):
        if manifest["kind"] in CUSTOM:
            continue
        try:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(part) for part in error.path)
            problems.append(f"{name}, {manifest['kind']} at `{place}`: {error.message}")
        except kubernetes_validate.SchemaNotFoundError:
            problems.append(
                f"{name}: Kubernetes {KUBERNETES} has no {manifest['apiVersion']} {manifest['kind']}; "
                "correct it, or add it to CUSTOM with its reason"
            )
    return problems


def kustomized(tree):
    """kustomization.yaml names what is there, and leaves out only what it must."""
    problems = []
    for path in sorted(Path(tree, "deploy/kubernetes").rglob("kustomization.yaml")):
        folder = path.parent
        (own,) = _documents(path)
        named = set(own["resources"])
        there = {file.name for file in folder.glob("*.yaml") if any("kind" in d for d in _documents(file))}
        there -= {"kustomization.yaml", *NOT_APPLIED}
        problems += [
            f"{path.name} of {folder.name} names {name}, which is not to be applied there"
            for name in sorted(named - there)
        ]
        problems += [f"{path.name} of {folder.name} does not name {name}" for name in sorted(there - named)]
        for generator in own.get("configMapGenerator", []):
            problems += [
                f"{folder.name}/{name} is missing" for name in generator["envs"] if not (folder / name).is_file()
            ]
    return problems


def _pods(tree):
    for name, manifest in manifests(tree):
        if template := manifest.get("spec", {}).get("template"):
            yield name, template["spec"]


def pods(tree):
    """Pods may as little as they can, and nothing turns Services into settings."""
    problems, images = [], set()
    for name, pod in _pods(tree):
        wanted = [
            (
                pod.get("enableServiceLinks") is False,
                "enableServiceLinks must be false: a Service called tenora… becomes a TENORA_ variable and stops the start",
            ),
            (pod.get("automountServiceAccountToken") is False, "automountServiceAccountToken must be false"),
            (pod.get("securityContext", {}).get("runAsNonRoot") is True, "securityContext.runAsNonRoot must be true"),
        ]
        for container in pod["containers"]:
            context = container.get("securityContext", {})
            images.add(container["image"])
            wanted += [
                (context.get("readOnlyRootFilesystem") is True, "readOnlyRootFilesystem must be true"),
                (context.get("allowPrivilegeEscalation") is False, "allowPrivilegeEscalation must be false"),
                (context.get("capabilities", {}).get("drop") == ["ALL"], "capabilities.drop must be [ALL]"),
                (container.get("resources", {}).get("limits", {}).get("memory"), "resources.limits.memory must be set"),
                (not image.unpinned(container["image"]), image.unpinned(container["image"])),
            ]
        problems += [f"{name}: {problem}" for right, problem in wanted if not right]
    if len(images) > 1:
        problems.append(f"servers and migrations must be of one image, and are of {sorted(images)}")
    return problems


def _server(tree):
    stateful = _one(tree, "StatefulSet")
    pod = stateful["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = settings_file(Path(tree, "deploy/kubernetes/settings.env"))
    settings.update({variable["name"]: variable.get("value", "") for variable in container["env"]})
    return stateful, pod, container, settings


def ports(tree):
    """Ports are those of the settings, and Services, probes and scrapes name them."""
    stateful, _, container, settings = _server(tree)
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    problems = []
    for name, variable in [("http", "TENORA_LISTEN"), ("ops", "TENORA_OPS_LISTEN")]:
        if not settings.get(variable, "").endswith(f":{named.get(name)}"):
            problems.append(
                f"stateful-set.yaml: the port `{name}` is {named.get(name)}, but {variable} is {settings.get(variable)}"
            )
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    for name, manifest in manifests(tree):
        spec = manifest.get("spec", {})
        if manifest["kind"] == "Service":
            if not spec["selector"].items() <= labels.items():
                problems.append(f"{name}: the Service {manifest['metadata']['name']} selects none of the servers")
            for port in spec["ports"]:
                if named.get(port["targetPort"]) != port["port"]:
                    problems.append(
                        f"{name}: {manifest['metadata']['name']} has the port {port['port']} to `{port['targetPort']}`, "
                        f"which is {named.get(port['targetPort'])}"
                    )
        if manifest["kind"] == "PodMonitor":
            problems += [
                f"{name}: no port is called `{end['port']}`"
                for end in spec["podMetricsEndpoints"]
                if end["port"] not in named
            ]
    for probe, path in [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")]:
        get = container.get(probe, {}).get("httpGet", {})
        if (get.get("path"), get.get("port")) != (path, "ops"):
            problems.append(f"stateful-set.yaml: {probe} must ask {path} at the port `ops`, and asks {get}")
    return problems


def times(tree):
    """Whoever stops a server leaves it the time to drain."""
    _, pod, container, settings = _server(tree)
    hook = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = hook + int(settings["TENORA_DRAIN_TIMEOUT_S"]) + AFTER_DRAIN_S
    problems = []
    if pod["terminationGracePeriodSeconds"] < needed:
        problems.append(
            f"stateful-set.yaml: terminationGracePeriodSeconds must be at least {needed}: preStop, TENORA_DRAIN_TIMEOUT_S "
            f"and {AFTER_DRAIN_S} s for the last writes"
        )
    server = compose(tree)["services"]["tenora"]
    needed = int(server["environment"]["TENORA_DRAIN_TIMEOUT_S"]) + AFTER_DRAIN_S
    if int(server["stop_grace_period"].removesuffix("s")) < needed:
        problems.append(
            f"compose.yaml: stop_grace_period must be at least {needed}s: TENORA_DRAIN_TIMEOUT_S and {AFTER_DRAIN_S} s for "
            "the last writes"
        )
    return problems


def secrets(tree):
    """No secret is in the tree: what is secret comes from a Secret, or from a variable that must be set."""
    problems = [
        f"{name}: a Secret with values; refer to one, and say in deploy/README.md how it is made"
        for name, manifest in manifests(tree)
        if manifest["kind"] == "Secret"
    ]
    secret = re.compile(r"KEY|PEPPER|PASSWORD|TOKEN|SECRET|DATABASE_URL|REDIS_URL|HEADERS")
    for name, value in settings_file(Path(tree, "deploy/kubernetes/settings.env")).items():
        if secret.search(name):
            problems.append(f"settings.env has {name}, which belongs into a Secret")
    for name, value in settings_file(Path(tree, "deploy/.env.example")).items():
        if secret.search(name) and value:
            problems.append(f"deploy/.env.example has a value for {name}; nothing may have a default password")
    for service, one in compose(tree)["services"].items():
        for name, value in one.get("environment", {}).items():
            if secret.search(name) and not re.search(r"\$\{\w+:(\?[^}]+|-)\}", str(value)):
                problems.append(
                    f"compose.yaml, {service}: {name} must come from ${{…:?…}}, or be empty by default (${{…:-}})"
                )
    return problems


def compose(tree, name="compose.yaml"):
    return yaml.safe_load(Path(tree, "deploy", name).read_text(encoding="utf-8"))


def compose_schema(tree):
    """The Compose files are of the Compose specification's schema."""
    text = (
        resources.files("check_jsonschema")
        .joinpath("builtin_schemas/vendor/compose-spec.json")
        .read_text(encoding="utf-8")
    )
    validator = jsonschema.validators.validator_for(json.loads(text))(json.loads(text))
    problems = []
    for path in sorted(Path(tree, "deploy").glob("compose*.yaml")):
        for error in validator.iter_errors(compose(tree, path.name)):
            place = ".".join(str(part) for part in error.absolute_path)
            problems.append(f"{path.name} at `{place}`: {error.message}")
    return problems


def compose_services(tree):
    """Services may as little as they can, are pinned, bounded, published on this machine only, and find their files."""
    problems, project = [], compose(tree)
    for name, service in project["services"].items():
        reference = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", service["image"])
        wanted = [
            (service.get("read_only"), "read_only must be true"),
            (service.get("cap_drop") == ["ALL"], "cap_drop must be [ALL]"),
            (
                "no-new-privileges:true" in service.get("security_opt", []),
                "security_opt must have no-new-privileges:true",
            ),
            (
                service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"),
                "deploy.resources.limits.memory must be set",
            ),
            (not image.unpinned(reference), image.unpinned(reference)),
        ]
        for port in service.get("ports", []):
            wanted.append((str(port).startswith("127.0.0.1:"), f"the port {port} must be published on 127.0.0.1"))
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).split(":")[0]
            there = Path(tree, "deploy", source).exists() if source.startswith(".") else source in project["volumes"]
            wanted.append((there, f"the volume {source} is neither a file of deploy/ nor a named volume"))
        for other, how in service.get("depends_on", {}).items():
            needs = project["services"].get(other)
            healthy = how["condition"] != "service_healthy" or needs and "healthcheck" in needs
            wanted.append((needs and healthy, f"it waits for {other} to be healthy, which has no healthcheck"))
        problems += [f"compose.yaml, {name}: {problem}" for right, problem in wanted if not right]
    published = {name for name, service in project["services"].items() if "ports" in service}
    if published != {"tenora", "grafana"}:
        problems.append(f"compose.yaml publishes {sorted(published)}; only the API and Grafana are for others")
    return problems


def collector(tree):
    """The collector's pipelines are made of parts that are there, and it listens where servers send."""
    parts = yaml.safe_load(Path(tree, "deploy/otel-collector.yaml").read_text(encoding="utf-8"))
    problems = []
    for name, pipeline in parts["service"]["pipelines"].items():
        for kind, members in pipeline.items():
            problems += [
                f"otel-collector.yaml: the pipeline {name} names `{one}`, which is none of its {kind}"
                for one in members
                if one not in parts[kind]
            ]
    if not {"traces", "metrics"} <= set(parts["service"]["pipelines"]):
        problems.append(
            "otel-collector.yaml must have pipelines for traces and metrics: servers send both, and 404 is not delivered"
        )
    port = parts["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    for where, endpoint in [
        ("compose.yaml", compose(tree)["services"]["tenora"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]),
        ("settings.env", settings_file(Path(tree, "deploy/kubernetes/settings.env"))["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    ]:
        if not endpoint.endswith(f":{port}"):
            problems.append(f"{where}: servers send to {endpoint}, the collector listens on {port}")
    return problems


def settings(tree):
    """Every setting that deploy/ names is one of .env.example."""
    example = Path(tree, ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    problems = []
    for path in sorted(Path(tree, "deploy").rglob("*")):
        if path.is_file() and path.name != ".env" and path.suffix not in (".json", ".pyc"):
            named = set(re.findall(r"\b(?:TENORA|OTEL)_[A-Z0-9_]*[A-Z0-9]\b", path.read_text(encoding="utf-8")))
            problems += [
                f"{path.relative_to(tree)} names {name}, which is no setting of .env.example"
                for name in sorted(named - known)
            ]
    return problems


def listening(tree):
    """The image listens on what it exposes, and is probed there."""
    lines = image.instructions(tree)
    exposed = set(next(line for line in lines if line.startswith("EXPOSE ")).split()[1:])
    listens = dict(re.findall(r"(TENORA_(?:OPS_)?LISTEN)=\S+?:(\d+)", " ".join(lines)))
    problems = []
    if set(listens.values()) != exposed or len(listens) != 2:
        problems.append(f"deploy/Dockerfile exposes {sorted(exposed)} and listens on {listens}")
    asked = [line for line in lines if line.startswith("HEALTHCHECK")]
    if not asked or not asked[0].endswith('CMD ["tenora", "health", "--alive"]'):
        problems.append("deploy/Dockerfile: HEALTHCHECK must be `tenora health --alive`")
    if compose(tree)["services"]["tenora"]["healthcheck"]["test"] != ["CMD", "tenora", "health"]:
        problems.append("compose.yaml: the server's healthcheck must be `tenora health`")
    targets = Path(tree, "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8")
    if f"tenora:{listens.get('TENORA_OPS_LISTEN')}" not in targets:
        problems.append("prometheus.yml does not scrape the operator's port of the server")
    return problems
