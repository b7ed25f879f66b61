// Cytoscape's style sheet, from the page's tokens.
import { HEIGHT, WIDTH } from "./card.js";

export function styles(colors) {
  const tones = { good: colors.goodMark, warn: colors.warnMark, bad: colors.badMark, tcp: colors.tcpMark, idle: colors.idleMark };
  return [
    { selector: "core", style: { "active-bg-opacity": 0, "selection-box-opacity": 0 } },
    {
      selector: "node",
      style: {
        shape: "round-rectangle",
        width: WIDTH,
        height: HEIGHT,
        "background-opacity": 0,
        "overlay-opacity": 0,
      },
    },
    {
      selector: "node.box",
      style: {
        shape: "round-rectangle",
        "corner-radius": "14",
        "background-color": colors.ink,
        "background-opacity": 0.022,
        "border-width": 1,
        "border-color": colors.line,
        "border-opacity": 1,
        padding: "20px",
        "z-compound-depth": "bottom",
        events: "no",
      },
    },
    { selector: "node.box.app", style: { padding: "14px", "border-style": "dashed" } },
    { selector: "node:selected", style: { "underlay-color": colors.accent, "underlay-opacity": 0.28, "underlay-padding": 0, "underlay-shape": "round-rectangle" } },
    { selector: "node.found", style: { "underlay-color": "#e8b116", "underlay-opacity": 0.34, "underlay-padding": 2, "underlay-shape": "round-rectangle" } },
    {
      selector: "edge",
      style: {
        width: "data(width)",
        "line-color": colors.idleMark,
        "target-arrow-color": colors.idleMark,
        "target-arrow-shape": "triangle",
        "arrow-scale": 0.85,
        "curve-style": "bezier",
        "control-point-step-size": 44,
        "loop-direction": "-45deg",
        "line-opacity": 0.85,
        "overlay-opacity": 0,
        "overlay-padding": 8,
      },
    },
    {
      selector: "edge.routed",
      style: {
        "curve-style": "unbundled-bezier",
        "edge-distances": "endpoints",
        "source-endpoint": "data(from)",
        "target-endpoint": "data(to)",
        "control-point-distances": "data(distances)",
        "control-point-weights": "data(weights)",
      },
    },
    ...Object.entries(tones).map(([tone, color]) => ({ selector: `edge.${tone}`, style: { "line-color": color, "target-arrow-color": color } })),
    { selector: "edge.idle", style: { "line-style": "dashed", "line-dash-pattern": [3, 5], "line-opacity": 0.7 } },
    // Not by colour alone: long dashes are degraded, short ones failing.
    { selector: "edge.warn", style: { "line-style": "dashed", "line-dash-pattern": [12, 5] } },
    { selector: "edge.bad", style: { "line-style": "dashed", "line-dash-pattern": [5, 4], "line-opacity": 1 } },
    // Compared with another moment: dots are gone, thin is the same.
    { selector: "edge.new", style: { "line-color": colors.accent, "target-arrow-color": colors.accent, "line-opacity": 1 } },
    { selector: "edge.gone", style: { "line-style": "dashed", "line-dash-pattern": [1, 5], "line-opacity": 0.9 } },
    { selector: "edge.same", style: { width: 1, "line-opacity": 0.4 } },
    { selector: "edge:selected", style: { "line-color": colors.accent, "target-arrow-color": colors.accent, "line-opacity": 1, "z-index": 9 } },
    { selector: "edge.found", style: { "underlay-color": "#e8b116", "underlay-opacity": 0.34, "underlay-padding": 6 } },
    { selector: ".faded", style: { opacity: 0.26 } },
    { selector: ".hidden", style: { display: "none" } },
  ];
}
