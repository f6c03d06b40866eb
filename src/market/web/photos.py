"""Photos, as browsers load them."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.kit.http.request import path_id
from market.products.service import ProductService
from market.shared.ids import PhotoId

# A photo never changes under its id, so whoever has it need not ask again.
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Products = NamedDependency[ProductService]


@get("/photos/{photo_id:str}", include_in_schema=False)
async def photo(photo_id: FromPath[str], products: Products) -> Response[bytes]:
    """A photo as the detail page shows it."""
    body = await products.photo(PhotoId(path_id(photo_id)), small=False)
    return Response(body, media_type="image/jpeg", headers=_HEADERS)


@get("/photos/{photo_id:str}/small", include_in_schema=False)
async def small_photo(photo_id: FromPath[str], products: Products) -> Response[bytes]:
    """A photo as lists show it."""
    body = await products.photo(PhotoId(path_id(photo_id)), small=True)
    return Response(body, media_type="image/jpeg", headers=_HEADERS)
