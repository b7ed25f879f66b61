"""productpage: the page that people see, put together from details and reviews."""

from concurrent.futures import ThreadPoolExecutor
from html import escape

from .service import Request, Response, arguments, call, serve

STYLE = """
body{font:16px/1.6 system-ui,sans-serif;margin:0;background:#f6f7f9;color:#1b2733}
header{background:#10243e;color:#fff;padding:14px 32px;font-weight:600}
main{max-width:820px;margin:32px auto;padding:0 24px}
section{background:#fff;border:1px solid #e3e7ec;border-radius:10px;padding:20px 26px;margin:18px 0}
h1{margin:0 0 6px}h2{margin:0 0 10px;font-size:18px}dl{display:grid;grid-template-columns:120px 1fr;margin:0}dt{color:#66788a}dd{margin:0}
blockquote{margin:14px 0;padding-left:14px;border-left:3px solid #d5dce4}.black{color:#1b2733}.red{color:#d1343a}.error{color:#b3261e}
small{color:#66788a}
"""
workers = ThreadPoolExecutor(16)


def handle(request: Request) -> Response:
    if request.path in ("/", "/index.html"):
        return Response(
            '<!doctype html><title>Bookinfo</title><p><a href="/productpage">The product page</a></p>', 200, "text/html; charset=utf-8"
        )
    if request.path != "/productpage":
        return Response.json({"error": "no such page"}, 404)
    details = workers.submit(call, "details", "/details/0", request)
    reviews = workers.submit(call, "reviews", "/reviews/0", request)
    user = request.headers.get("end-user", "")
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Bookinfo</title><style>{STYLE}</style>'
        f"<header>Bookinfo{' · signed in as ' + escape(user) if user else ''}</header><main>"
        "<section><h1>The Comedy of Errors</h1><p>One of William Shakespeare's early plays; his shortest and one of his most farcical.</p></section>"
        f"<section><h2>Book details</h2>{_details(details.result())}</section>"
        f"<section><h2>Book reviews</h2>{_reviews(reviews.result())}</section></main></html>"
    )
    return Response(body, 200, "text/html; charset=utf-8")


def _details(answer) -> str:
    if answer is None:
        return '<p class="error">Sorry, product details are currently unavailable for this book.</p>'
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in answer.json().items() if k != "id") + "</dl>"


def _reviews(answer) -> str:
    if answer is None:
        return '<p class="error">Sorry, product reviews are currently unavailable for this book.</p>'
    served = answer.json()
    quotes = "".join(
        f"<blockquote>{escape(r['text'])}<br><small>{escape(r['reviewer'])}</small> {_stars(r.get('rating'))}</blockquote>"
        for r in served["reviews"]
    )
    return f"{quotes}<small>Reviews served by: {escape(served['podname'])}</small>"


def _stars(rating: dict | None) -> str:
    if rating is None:
        return ""
    if "error" in rating:
        return f'<span class="error">{escape(rating["error"])}</span>'
    return f'<span class="{rating["color"]}" title="{rating["stars"]} stars, {rating["color"]}">{"★" * rating["stars"]}{"☆" * (5 - rating["stars"])}</span>'


if __name__ == "__main__":
    options = arguments("productpage")
    serve(handle, options.address, options.port)
