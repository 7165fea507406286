"""When something happened: UTC, with the offset of the local clock, and the learner's day that it belongs to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from llmdrills.errors import UsageError

__all__ = ["DAY_TURNS", "LAST", "Moment", "day_number", "from_day_number"]

DAY_TURNS = 4  # o'clock, local time: whoever practises after midnight still practises the day before
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 7_258_118_400 * 1_000_000
"""Microseconds from 1 January 1970 to 1 January 2200: no event is later."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, order=True)
class Moment:
    """`at`: microseconds since 1970 in UTC; `zone`: seconds that the local clock was ahead of UTC."""

    at: int
    zone: int = 0

    @classmethod
    def now(cls) -> Moment:
        """This moment, on this machine's clock and in its time zone. Raises UsageError where these cannot be right."""
        try:
            moment = cls.of(datetime.now().astimezone())
        except (ValueError, OverflowError) as error:  # Python knows no zone that is a day or more off UTC
            raise UsageError(
                f"the time zone TZ={os.environ.get('TZ', '')} is a day or more off UTC",
                "set TZ to a zone such as Asia/Shanghai, or unset it",
            ) from error
        if not moment.plausible:
            raise UsageError(f"the clock of this machine says {moment.text}", "set it, then run this again")
        return moment

    @classmethod
    def of(cls, time: datetime) -> Moment:
        """The moment of a datetime that knows its zone. Raises ValueError if it does not."""
        offset = time.utcoffset()
        if offset is None:
            raise ValueError(f"{time} has no time zone")
        return cls((time - _EPOCH) // timedelta(microseconds=1), offset // timedelta(seconds=1))

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Read what `str` writes. Raises ValueError on anything else."""
        return cls.of(datetime.fromisoformat(text))

    def __str__(self) -> str:
        return self.local.isoformat(timespec="microseconds")

    @property
    def text(self) -> str:
        """As `str`, and also of a time that the calendar does not reach: then as it is stored."""
        try:
            return str(self)
        except (ValueError, OverflowError):
            return f"{self.at} µs, zone {self.zone} s"

    @property
    def local(self) -> datetime:
        """The time on the learner's clock."""
        return (_EPOCH + timedelta(microseconds=self.at)).astimezone(timezone(timedelta(seconds=self.zone)))

    @property
    def day(self) -> date:
        """The learner's day: it turns at four in the morning, local time."""
        return from_day_number(self.day_number)

    @property
    def day_number(self) -> int:
        """The learner's day, counted from 1 January 1970."""
        return day_number(self.at, self.zone)

    @property
    def plausible(self) -> bool:
        """Whether it lies between 1970 and 2200, on a clock less than a day off UTC: anything else is damage."""
        return 0 <= self.at < LAST and abs(self.zone) < 86400

    def plus(self, microseconds: int) -> Moment:
        """A moment so much later, in the same zone."""
        return Moment(self.at + microseconds, self.zone)


def day_number(at: int, zone: int) -> int:
    """The learner's day of a moment, counted from 1 January 1970."""
    return (at // 1_000_000 + zone - DAY_TURNS * 3600) // 86400


def from_day_number(number: int) -> date:
    """The date of a day counted from 1 January 1970."""
    return date.fromordinal(_EPOCH_DAY + number)
