"""The languages of the pages, and the time zone they show."""

from datetime import timedelta, timezone
from typing import Literal

Language = Literal["ko", "en"]
KST = timezone(timedelta(hours=9))
