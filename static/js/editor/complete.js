// Completion from the kind's JSON schema: where in the document the cursor is, by indentation, and what the schema knows there.
const cache = new Map();

async function schemaOf(kind) {
  if (!cache.has(kind)) {
    cache.set(
      kind,
      fetch(`/api/v1/schemas/${encodeURIComponent(kind)}`, { headers: { Accept: "application/json" } })
        .then((r) => (r.ok ? r.json() : null))
        .catch(() => null),
    );
  }
  return cache.get(kind);
}

// The keys above the cursor: [{key} or {item}], from the document's root to the mapping in which the cursor stands.
export function whereIs(lines, at, column) {
  const stack = [];
  const item = (indent) => {
    while (stack.length && (stack.at(-1).indent > indent || (stack.at(-1).indent === indent && stack.at(-1).item))) stack.pop();
    stack.push({ indent, item: true });
  };
  const leave = (indent) => {
    while (stack.length && stack.at(-1).indent >= indent) stack.pop();
  };
  for (let n = 0; n <= at; n++) {
    const line = n === at ? lines[n].slice(0, column) : lines[n];
    if (n < at && (!line.trim() || line.trimStart().startsWith("#"))) continue;
    let indent = n === at ? line.match(/^ */)[0].length : line.search(/\S/);
    for (let dash; (dash = line.slice(indent).match(/^-( +|$)/)); indent += dash[0].length) item(indent);
    if (n === at) {
      leave(indent);
      break;
    }
    const key = line.slice(indent).match(/^("?)([\w.$/-]+)\1:/)?.[2];
    if (!key) continue;
    leave(indent);
    stack.push({ indent, key });
  }
  return stack;
}

function resolve(schema, root) {
  for (let i = 0; i < 20 && schema; i++) {
    if (schema.$ref) schema = schema.$ref.split("/").slice(1).reduce((o, k) => o?.[decodeURIComponent(k)], root);
    else if (schema.anyOf || schema.oneOf) {
      const options = (schema.anyOf ?? schema.oneOf).filter((s) => s.type !== "null");
      if (options.length === 1) schema = { ...options[0], description: schema.description ?? options[0].description };
      else return options.map((o) => resolve(o, root)).find((o) => o?.properties || o?.items || o?.enum) ?? schema;
    } else if (schema.allOf?.length === 1) schema = schema.allOf[0];
    else break;
  }
  return schema;
}

function descend(root, path) {
  let schema = resolve(root, root);
  for (const step of path) {
    if (!schema) return null;
    if (step.item) schema = resolve(schema.items, root);
    else schema = resolve(schema.properties?.[step.key] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : null), root);
  }
  return schema;
}

function plain(schema, root) {
  const s = resolve(schema, root) ?? {};
  if (s.enum) return s.enum.filter((v) => v !== null).slice(0, 4).join(" | ");
  if (s.type === "array") return "list";
  if (s.properties || s.type === "object") return "object";
  return s.type ?? "";
}

export async function complete(context) {
  const { state, pos } = context;
  const line = state.doc.lineAt(pos);
  const before = line.text.slice(0, pos - line.from);
  const all = state.doc.toString().split("\n");
  const at = line.number - 1;
  let first = at;
  while (first > 0 && !/^---/.test(all[first])) first--;
  let last = at + 1;
  while (last < all.length && !/^---/.test(all[last])) last++;
  const doc = all.slice(first, last);
  const kind = doc.map((l) => l.match(/^kind:\s*(\w+)/)?.[1]).find(Boolean);

  const value = before.match(/^(\s*(?:- +)*)([\w.$/-]+):\s+(\S*)$/);
  const key = before.match(/^(\s*(?:- +)*)([\w.$/-]*)$/);
  if (!value && !key) return null;
  if (!context.explicit && !value && !key[2]) return null;

  if (!kind) {
    const options = ["apiVersion", "kind", "metadata", "spec"].map((k) => ({ label: k, type: "property", apply: `${k}: ` }));
    return key && !key[1] ? { from: pos - key[2].length, options } : null;
  }
  const root = await schemaOf(kind);
  if (!root) return null;
  const column = (value ?? key)[1].length;
  const path = whereIs(doc, at - first, column);
  if (value) {
    const schema = resolve(descend(root, [...path, { key: value[2] }]), root);
    const options = schema?.enum ?? (schema?.type === "boolean" ? ["true", "false"] : []);
    if (!options.length) return null;
    return { from: pos - value[3].length, options: options.filter((v) => v !== null).map((v) => ({ label: String(v), type: "enum" })), validFor: /^\S*$/ };
  }
  const schema = descend(root, path);
  if (!schema?.properties) return null;
  const options = Object.entries(schema.properties).map(([name, s]) => {
    const kindOf = plain(s, root);
    const nested = kindOf === "object" || kindOf === "list";
    return { label: name, type: "property", detail: kindOf, info: s.description || resolve(s, root)?.description || undefined, apply: nested ? `${name}:` : `${name}: `, boost: schema.required?.includes(name) ? 1 : 0 };
  });
  return { from: pos - key[2].length, options, validFor: /^[\w.$/-]*$/ };
}
