// How code looks: our tokens instead of a theme's colours, so that light and dark follow the page.
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const style = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: "var(--code-literal)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--ink-3)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.bracket, tags.squareBracket, tags.brace, tags.meta], color: "var(--ink-3)" },
  { tag: [tags.content], color: "var(--ink)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "transparent", color: "var(--ink)", fontSize: "12.5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
  ".cm-content": { padding: "10px 0", caretColor: "var(--accent-ink)" },
  ".cm-line": { padding: "0 14px 0 6px" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--ink-3)", border: "none", paddingLeft: "6px" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 6px 0 6px", minWidth: "34px" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--ink) 3.5%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink-2)" },
  ".cm-cursor": { borderLeftColor: "var(--accent-ink)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 22%, transparent) !important" },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 13%, transparent)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--sunken)", border: "1px solid var(--line)", color: "var(--ink-3)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-panel.cm-search": { padding: "8px 12px", fontFamily: "var(--font)", fontSize: "12.5px" },
  ".cm-textfield": { border: "1px solid var(--line-strong)", borderRadius: "5px", backgroundColor: "var(--surface)", padding: "3px 7px" },
  ".cm-button": { border: "1px solid var(--line-strong)", borderRadius: "5px", backgroundImage: "none", backgroundColor: "var(--surface)", padding: "3px 8px" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line)", borderRadius: "8px", boxShadow: "var(--shadow-2)", overflow: "hidden" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12.5px", maxHeight: "260px" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "4px 10px", lineHeight: "18px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--ink-3)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-completionInfo": { padding: "8px 11px", maxWidth: "360px", fontFamily: "var(--font)", fontSize: "12.5px", whiteSpace: "pre-line" },
  ".cm-diagnostic": { padding: "7px 11px", borderLeft: "3px solid", fontFamily: "var(--font)", fontSize: "12.5px", maxWidth: "520px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad-mark)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn-mark)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--accent)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad-mark)", textUnderlineOffset: "3px", textDecorationThickness: "1px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn-mark)", textUnderlineOffset: "3px", textDecorationThickness: "1px" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline dotted var(--accent)", textUnderlineOffset: "3px" },
  ".cm-lint-marker": { width: "9px", height: "9px", margin: "5px 0 0 3px", content: "none !important" },
  ".cm-lint-marker-error": { backgroundColor: "var(--bad-mark)", borderRadius: "2px", transform: "rotate(45deg)" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--warn-mark)", borderRadius: "50%" },
  ".cm-lint-marker-info": { backgroundColor: "var(--accent)", borderRadius: "50%" },
  ".cm-gutter-lint": { width: "16px" },
  ".cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--accent) 18%, transparent) !important", color: "inherit" },
});

// The page's Content-Security-Policy lets CodeMirror's one style sheet in by this.
export function nonce() {
  const value = document.querySelector('meta[name="csp-nonce"]')?.content;
  return value ? EditorView.cspNonce.of(value) : [];
}

export const look = [theme, syntaxHighlighting(style)];
