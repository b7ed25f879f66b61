// A read-only view of JSON with folding and search.
import { defaultKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { codeFolding, foldGutter, foldKeymap } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { look, nonce } from "./look.js";

export default function start(host) {
  const source = host.querySelector("pre");
  const view = new EditorView({
    parent: host,
    state: EditorState.create({
      doc: source.textContent,
      extensions: [
        nonce(),
        lineNumbers(),
        foldGutter({ openText: "⌄", closedText: "›" }),
        codeFolding(),
        drawSelection(),
        highlightSelectionMatches(),
        search({ top: true }),
        json(),
        look,
        EditorState.readOnly.of(true),
        EditorView.contentAttributes.of({ "aria-label": host.dataset.label ?? "JSON", tabindex: "0" }),
        keymap.of([...searchKeymap, ...foldKeymap, ...defaultKeymap]),
      ],
    }),
  });
  source.hidden = true;
  return { stop: () => view.destroy() };
}
