"""How long a server is waited for, and how often it is asked again."""

import random
import time
from dataclasses import dataclass, field

RETRIED_STATUSES = (408, 429, 500, 502, 503, 504)
"""What a server answers that may answer otherwise in a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When to ask again, and when to give up."""

    timeout_s: float = 30.0
    """Without a byte from the server, in seconds."""
    retries: int = 5
    """In a row, without progress."""
    first_wait_s: float = 1.0
    """Before the first retry, in seconds; it doubles with each that follows."""
    longest_wait_s: float = 60.0
    """Before a retry, in seconds, even where the server asks for more."""
    generator: random.Random = field(default_factory=lambda: random.Random(time.monotonic_ns()))
    """Takes up to half of a wait off, so that processes that were cut off together do not come back together."""

    def wait_s(self, failures: int, asked_s: float | None = None) -> float:
        """Seconds to wait after so many failures in a row, or what the server asked for; within the bound."""
        if asked_s is not None:
            return min(max(asked_s, 0.0), self.longest_wait_s)
        longest = min(self.first_wait_s * 2.0 ** (failures - 1), self.longest_wait_s)
        return longest * (1 - self.generator.random() / 2)


def retry_after_s(value: str | None) -> float | None:
    """The seconds of a Retry-After header, which is a number or a date; None where it is neither."""
    from email.utils import parsedate_to_datetime

    if value is None:
        return None
    try:
        return float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return None
