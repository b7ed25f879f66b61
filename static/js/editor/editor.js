// The policy editor: YAML with problems at their lines as one types, a preview as a diff, and save.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml, yamlLanguage } from "@codemirror/lang-yaml";
import { bracketMatching, codeFolding, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, nextDiagnostic, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import htmx from "../htmx.js";
import { complete } from "./complete.js";
import { look, nonce } from "./look.js";

const PAUSE = 300;

function sprite(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

const GLYPHS = { error: "octagon-alert", warning: "triangle-alert", info: "info" };

export default function start(form) {
  const area = form.querySelector("textarea");
  const host = form.querySelector("[data-host]");
  const verdict = form.querySelector("[data-verdict]");
  const problems = form.querySelector("[data-problems]");
  const reset = form.querySelector("[data-reset]");
  const dialog = document.getElementById("preview");
  const readonly = form.hasAttribute("data-readonly");
  const original = area.value;
  let timer;
  let asked = 0;

  const view = new EditorView({
    parent: host,
    state: EditorState.create({
      doc: original,
      extensions: [
        nonce(),
        lineNumbers(),
        foldGutter({ openText: "⌄", closedText: "›" }),
        codeFolding(),
        lintGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        highlightSelectionMatches(),
        search({ top: true }),
        indentUnit.of("  "),
        yaml(),
        yamlLanguage.data.of({ autocomplete: complete }),
        autocompletion({ icons: false }),
        look,
        EditorState.readOnly.of(readonly),
        EditorView.contentAttributes.of({ "aria-label": "YAML", spellcheck: "false" }),
        keymap.of([
          { key: "Mod-s", run: () => (readonly ? true : (preview(), true)), preventDefault: true },
          { key: "F8", run: nextDiagnostic },
          indentWithTab,
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
          ...searchKeymap,
          ...completionKeymap,
          ...lintKeymap,
          ...foldKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          area.value = update.state.doc.toString();
          if (reset) reset.hidden = area.value === original;
          clearTimeout(timer);
          timer = setTimeout(check, PAUSE);
        }),
      ],
    }),
  });
  host.hidden = false;
  area.hidden = true;
  if (form.dataset.line) {
    // Whoever came to see one line sees it marked, and no more than that: the cursor is there.
    const line = view.state.doc.line(Math.min(Number(form.dataset.line), view.state.doc.lines));
    view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
  }
  form.editor = view; // for tests and for the console of whoever debugs

  async function check() {
    const turn = ++asked;
    let answer;
    try {
      const response = await fetch(form.dataset.check, { method: "POST", headers: { "X-CSRFToken": token() }, body: new URLSearchParams({ yaml: area.value }) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      answer = await response.json();
    } catch {
      if (turn === asked) say("idle", "triangle-alert", "Could not be checked: the console does not answer");
      return;
    }
    if (turn !== asked) return; // an older question's answer
    show(answer);
  }

  function show({ valid, messages, changes }) {
    const doc = view.state.doc;
    const diagnostics = messages.map((m) => {
      const line = doc.line(Math.max(1, Math.min(m.line || 1, doc.lines)));
      const from = line.from + (line.text.length - line.text.trimStart().length);
      return { from: Math.min(from, line.to), to: Math.max(line.to, Math.min(from, line.to)), severity: m.level, message: `${m.text}${m.path ? `\n${m.path}` : ""}`, source: m.code };
    });
    view.dispatch(setDiagnostics(view.state, diagnostics));
    problems.replaceChildren();
    problems.hidden = !messages.length;
    for (const m of messages) {
      const item = document.createElement("li");
      item.className = m.level;
      const button = document.createElement("button");
      button.type = "button";
      const at = document.createElement("span");
      at.className = "at";
      at.textContent = m.line ? `line ${m.line}` : "";
      const text = document.createElement("span");
      text.textContent = `${m.path ? `${m.path}: ` : ""}${m.text}`;
      const code = document.createElement("span");
      code.className = "at";
      code.textContent = m.code;
      button.append(sprite(GLYPHS[m.level] ?? "info"), at, text, code);
      button.addEventListener("click", () => {
        const line = doc.line(Math.max(1, Math.min(m.line || 1, view.state.doc.lines)));
        view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
        view.focus();
      });
      item.append(button);
      problems.append(item);
    }
    const errors = messages.filter((m) => m.level === "error").length;
    const warnings = messages.filter((m) => m.level === "warning").length;
    if (!valid) say("bad", "octagon-alert", errors === 1 ? "1 problem" : `${errors} problems`);
    else if (warnings) say("warn", "triangle-alert", warnings === 1 ? "Valid, 1 warning" : `Valid, ${warnings} warnings`);
    else if (!changes.length) say("idle", "circle-check", "Valid, as stored");
    else say("good", "circle-check", "Valid");
    form.dataset.valid = String(valid);
  }

  function say(tone, glyph, text) {
    const status = document.createElement("span");
    status.className = `status ${tone}`;
    const word = document.createElement("span");
    word.textContent = text;
    status.append(sprite(glyph), word);
    verdict.replaceChildren(status);
  }

  async function preview() {
    await htmx.ajax("POST", form.dataset.preview, { target: dialog, swap: "innerHTML", values: { yaml: area.value } });
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  }

  function token() {
    return document.querySelector('meta[name="csrf-token"]').content;
  }

  const onSubmit = (event) => {
    event.preventDefault();
    preview();
  };
  form.addEventListener("submit", onSubmit);
  reset?.addEventListener("click", () => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: original } }));
  // A save that went through leads away: nothing is lost then.
  let saved = false;
  const onRedirect = (event) => {
    if (event.detail.xhr?.getResponseHeader?.("HX-Redirect")) saved = true;
  };
  document.addEventListener("htmx:beforeOnLoad", onRedirect);
  const onLeave = (event) => {
    if (!saved && area.value !== original) event.preventDefault();
  };
  addEventListener("beforeunload", onLeave);
  if (readonly) say("idle", "eye", "Read only");
  else check();

  return {
    stop() {
      clearTimeout(timer);
      removeEventListener("beforeunload", onLeave);
      document.removeEventListener("htmx:beforeOnLoad", onRedirect);
      view.destroy();
    },
  };
}
