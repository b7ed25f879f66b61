"""What people do on pages, said once: writing YAML into the editor, previewing, saving, reading the graph."""

from typing import Any

from playwright.sync_api import Page, expect


def write(page: Page, text: str) -> None:
    """Replace what the editor holds, as a paste would."""
    page.wait_for_selector("#editor-form .cm-content")
    page.evaluate(
        """text => { const v = document.getElementById("editor-form").editor;
                     v.dispatch({changes: {from: 0, to: v.state.doc.length, insert: text}}); }""",
        text,
    )


def preview(page: Page):
    """The dialog with the difference."""
    page.get_by_role("button", name="Preview changes").click()
    dialog = page.get_by_role("dialog", name="Preview of the changes")
    expect(dialog).to_be_visible()
    return dialog


def save(page: Page, why: str = "") -> int:
    """Preview, say why, save; the number of the new revision."""
    dialog = preview(page)
    dialog.get_by_label("Why").fill(why)
    before = page.url
    dialog.get_by_role("button", name="Save").click()
    page.wait_for_url(lambda url: "?saved=" in url and url != before)  # the page may be that of the save before
    return int(page.url.split("saved=")[1].split("&")[0])


def programmed(page: Page):
    """The strip that says on how many proxies the saved revision is in force."""
    return page.locator("#programmed")


def graph(page: Page) -> dict[str, Any]:
    """What the topology page draws: nodes and edges as the feed told them, and where each node stands."""
    page.wait_for_selector("[data-component=topology][data-ready]", timeout=20_000)
    return page.evaluate(
        """() => { const {cy, model} = document.querySelector("[data-component=topology]").graph;
                   return {nodes: [...model.nodes.values()], edges: [...model.edges.values()],
                           places: Object.fromEntries(cy.nodes().not(".box").map(n => [n.id(), n.position()]))}; }"""
    )
