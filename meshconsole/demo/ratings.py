"""ratings: how many stars each reviewer gave."""

from .service import Request, Response, arguments, serve


def handle(request: Request) -> Response:
    if not request.path.startswith("/ratings/"):
        return Response.json({"error": "no such page"}, 404)
    return Response.json({"id": int(request.path.rsplit("/", 1)[-1] or 0), "ratings": {"Reviewer1": 5, "Reviewer2": 4}})


if __name__ == "__main__":
    options = arguments("ratings")
    serve(handle, options.address, options.port)
