// The page reads the description that this server serves and nothing else. The token
// stays in the page: it is not stored anywhere.
"use strict";

const element = (name, props = {}, ...children) => {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children);
  return e;
};

const resolve = (doc, node) => {
  while (node && node.$ref) {
    node = node.$ref.slice(2).split("/").reduce((at, key) => at[key.replace(/~1/g, "/").replace(/~0/g, "~")], doc);
  }
  return node;
};

function operation(doc, path, method, op, shared) {
  const parameters = [...shared, ...(op.parameters || [])].map((p) => resolve(doc, p));
  const fields = parameters.map((p) => {
    const input = element("input", { name: p.name, placeholder: p.description || "" });
    return { p, input, row: element("label", {}, `${p.name} (${p.in}${p.required ? ", required" : ""})`, input) };
  });
  const body = op.requestBody && resolve(doc, op.requestBody);
  const text = body && element("textarea", { spellcheck: false, value: example(doc, body) });
  const answer = element("pre", { hidden: true });
  const send = element("button", { type: "button", textContent: "Try it" });
  send.onclick = () => attempt(method, path, fields, text, answer);
  return element("details", {},
    element("summary", {}, element("b", {}, method.toUpperCase()), element("code", {}, path), ` ${op.summary || ""}`),
    element("p", {}, op.description || ""),
    ...fields.map((f) => f.row),
    ...(text ? [element("label", {}, "body", text)] : []),
    element("p", {}, "Answers: " + Object.keys(op.responses || {}).join(", ")),
    send, answer);
}

function example(doc, body) {
  const media = (body.content || {})["application/json"] || {};
  if (media.example !== undefined) return JSON.stringify(media.example, null, 2);
  const named = Object.values(media.examples || {})[0];
  if (named) return JSON.stringify(resolve(doc, named).value, null, 2);
  const properties = (resolve(doc, media.schema) || {}).properties || {};
  return JSON.stringify(Object.fromEntries(Object.keys(properties).map((k) => [k, ""])), null, 2);
}

async function attempt(method, path, fields, text, answer) {
  const url = new URL(path, location.origin);
  const headers = {};
  for (const { p, input } of fields) {
    if (!input.value) continue;
    if (p.in === "query") url.searchParams.set(p.name, input.value);
    if (p.in === "header") headers[p.name] = input.value;
    if (p.in === "path") url.pathname = url.pathname.replace(encodeURI(`{${p.name}}`), encodeURIComponent(input.value));
  }
  const token = document.getElementById("token").value;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (text) headers["Content-Type"] = "application/json";
  answer.hidden = false;
  answer.textContent = "…";
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 5000); // a stream has no end
  let shown = "";
  try {
    const res = await fetch(url, { method: method.toUpperCase(), headers, body: text ? text.value : undefined, signal: abort.signal });
    shown = `${res.status} ${res.statusText}\n\n`;
    const reader = res.body.getReader();
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      shown += decoder.decode(part.value, { stream: true });
      answer.textContent = shown;
    }
    answer.textContent = shown;
  } catch (err) {
    answer.textContent = shown || String(err);
  } finally {
    clearTimeout(timer);
  }
}

fetch("/openapi.json").then((res) => res.json()).then((doc) => {
  document.getElementById("about").textContent = (doc.info.description || doc.info.title).split("\n\n")[0];
  const list = document.getElementById("operations");
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      if (item[method]) list.append(operation(doc, path, method, item[method], item.parameters || []));
    }
  }
}).catch((err) => { document.getElementById("about").textContent = String(err); });
