"""details: facts about a book."""

from .service import Request, Response, arguments, serve


def handle(request: Request) -> Response:
    if not request.path.startswith("/details/"):
        return Response.json({"error": "no such page"}, 404)
    return Response.json(
        {
            "id": int(request.path.rsplit("/", 1)[-1] or 0),
            "author": "William Shakespeare",
            "year": 1595,
            "type": "paperback",
            "pages": 200,
            "publisher": "PublisherA",
            "language": "English",
            "ISBN-10": "1234567890",
            "ISBN-13": "123-1234567890",
        }
    )


if __name__ == "__main__":
    options = arguments("details")
    serve(handle, options.address, options.port)
