// Draws the API document. Text only ever becomes text: nothing of it is parsed as HTML.
"use strict";

const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== null));
  return node;
};

// What most readers look for comes first.
const ORDER = ["generation", "models", "adapters", "keys", "usage", "admin", "server"];
const rank = (tag) => (ORDER.includes(tag) ? ORDER.indexOf(tag) : ORDER.length);

const draw = (api) => {
  const schemas = api.components?.schemas ?? {};
  const resolve = (schema) => (schema?.$ref ? schemas[schema.$ref.split("/").pop()] : schema);
  const kind = (schema) => {
    if (!schema) return "";
    if (schema.$ref) return schema.$ref.split("/").pop();
    const any = schema.oneOf ?? schema.anyOf;
    if (any) return any.map(kind).join(" or ");
    if (schema.type === "array") return `list of ${kind(schema.items)}`;
    return [schema.type].flat().filter(Boolean).join(" or ");
  };
  const fields = (schema, title) => {
    const whole = resolve(schema);
    const parts = [whole, ...(whole?.allOf ?? []).map(resolve)];
    const rows = parts.flatMap((part) => Object.entries(part?.properties ?? {}).map(([name, field]) => {
      const needed = part.required?.includes(name) ? "" : "optional";
      return make("tr", {}, make("td", { textContent: name }), make("td", { textContent: kind(field) }),
        make("td", { textContent: [needed, resolve(field)?.description ?? field.description ?? ""].filter(Boolean).join(". ") }));
    }));
    return rows.length ? make("div", {}, make("b", { textContent: title }), make("table", {}, ...rows)) : null;
  };
  const route = (path, method, operation) => {
    const parameters = { properties: {}, required: [] };
    for (const { name, schema, description, required } of operation.parameters ?? []) {
      parameters.properties[name] = { ...schema, description };
      if (required) parameters.required.push(name);
    }
    const bodies = Object.entries(operation.requestBody?.content ?? {});
    const good = Object.entries(operation.responses ?? {}).filter(([status]) => status.startsWith("2"));
    const credential = Object.keys(operation.security?.[0] ?? {})[0];
    const note = credential ? `Needs ${credential === "admin_key" ? "the operator's key" : "a tenant's API key or token"}.` : "Open to everybody.";
    const words = [operation.summary, operation.description].filter(Boolean).join(" ");
    const item = make("details", {},
      make("summary", {},
        make("b", { className: `method ${method}`, textContent: method }),
        make("code", { textContent: path }),
        make("span", { textContent: words })),
      make("section", {},
        make("p", { className: "note", textContent: note }),
        fields(parameters, "Parameters"),
        ...bodies.map(([type, body]) => fields(body.schema, `Body, ${type}`)),
        ...good.flatMap(([status, answer]) => Object.values(answer.content ?? {}).map((body) => fields(body.schema, `Answer ${status}`)))));
    item.dataset.words = `${method} ${path} ${words}`.toLowerCase();
    return item;
  };
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), route(path, method.toUpperCase(), operation)]);
    }
  }
  document.getElementById("about").textContent = api.info.description;
  document.getElementById("routes").replaceChildren(
    ...[...groups].sort(([one], [other]) => rank(one) - rank(other)).map(([tag, items]) => make("div", {}, make("h2", { textContent: tag }), ...items)));
  document.getElementById("find").addEventListener("input", ({ target }) => {
    const word = target.value.trim().toLowerCase();
    for (const item of document.querySelectorAll("details")) item.hidden = !item.dataset.words.includes(word);
  });
};

fetch("/openapi.json").then((answer) => answer.json()).then(draw).catch((error) => {
  document.getElementById("routes").textContent = `The document cannot be read: ${error.message}`;
});
