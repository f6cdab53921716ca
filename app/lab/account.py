"""The one user that every BMC of a lab knows."""

import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Account:
    """Name and password; IPMI 2.0 allows 16 and 20 bytes."""

    user: str
    password: str = field(repr=False)

    def matches(self, user: str, password: str) -> bool:
        """Compared in constant time, as a BMC should."""
        return hmac.compare_digest(f"{self.user}\0{self.password}".encode(), f"{user}\0{password}".encode())
