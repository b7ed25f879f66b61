"""reviews: v1 has no stars, v2 black ones, v3 red ones; v2 and v3 ask ratings for them."""

from functools import partial

from .service import Request, Response, arguments, call, serve

STARS = {"v2": "black", "v3": "red"}
REVIEWS = {
    "Reviewer1": "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
    "Reviewer2": "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.",
}


def handle(version: str, request: Request) -> Response:
    if not request.path.startswith("/reviews/"):
        return Response.json({"error": "no such page"}, 404)
    reviews: list[dict] = [{"reviewer": who, "text": text} for who, text in REVIEWS.items()]
    if color := STARS.get(version):
        answer = call("ratings", f"/ratings/{request.path.rsplit('/', 1)[-1]}", request)
        for review in reviews:
            if answer is None:
                review["rating"] = {"error": "ratings service is currently unavailable"}
            else:
                review["rating"] = {"stars": answer.json()["ratings"][review["reviewer"]], "color": color}
    return Response.json({"id": request.path.rsplit("/", 1)[-1], "podname": f"reviews-{version}", "reviews": reviews})


if __name__ == "__main__":
    options = arguments("reviews")
    serve(partial(handle, options.version), options.address, options.port)
