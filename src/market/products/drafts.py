"""Drafts: product forms that could not be saved yet, with their photos.

A page cannot make a browser choose a file again. So a form whose second photo is unusable, or that
was sent after its member was signed out, is stored here until it is sent again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from market.shared.clock import Clock
from market.shared.ids import Ids, MemberId, well_formed
from market.shared.transactions import Transactions

from .domain import PHOTOS_MAX, Draft
from .ports import Drafts, ProcessedImage

LIFETIME = timedelta(days=1)
# Per member: the sixth form replaces the oldest.
DRAFTS_MAX = 5


class DraftService:
    """Stores members' forms for a day. A draft never changes: a form that is sent twice finds the
    same photos both times."""

    def __init__(self, transactions: Transactions, drafts: Drafts, clock: Clock, ids: Ids) -> None:
        self._transactions = transactions
        self._drafts = drafts
        self._clock = clock
        self._ids = ids

    async def keep(
        self, member: MemberId, fields: Mapping[str, str], pictures: Sequence[ProcessedImage]
    ) -> Draft:
        """Stores a form with its first `PHOTOS_MAX` pictures."""
        pictures = pictures[:PHOTOS_MAX]
        draft = Draft(self._ids.new(), fields, range(1, len(pictures) + 1))
        async with self._transactions.transaction():
            await self._drafts.add(draft, member, pictures, self._clock.now())
            await self._drafts.keep_newest(member, DRAFTS_MAX)
        return draft

    async def find(self, member: MemberId, id: str) -> Draft | None:
        """The member's own draft; None if there is none or it has expired."""
        if not well_formed(id):
            return None
        return await self._drafts.find(member, id, self._clock.now() - LIFETIME)

    async def pictures(
        self, draft: Draft, without: Collection[int] = ()
    ) -> Sequence[ProcessedImage]:
        """Its photos in order, without those at these places."""
        places = [place for place in draft.places if place not in without]
        return await self._drafts.pictures(draft.id, places) if places else []

    async def small_photo(self, member: MemberId, id: str, place: int) -> bytes:
        """A JPEG to show beside the form. Raises NotFound."""
        return await self._drafts.small_photo(member, id, place)

    async def purge_expired(self, limit: int) -> int:
        """Deletes at most `limit` drafts older than `LIFETIME`; returns how many."""
        return await self._drafts.purge(self._clock.now() - LIFETIME, limit)
