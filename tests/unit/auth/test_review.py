"""Reviews of tokens: what is kept of those that could not be asked about."""

from pathlib import Path

import pytest

from app.auth.review import Reviewer
from app.domain.errors import Unavailable
from tests.support.ports import free_port


def test_nothing_is_kept_of_tokens_while_the_api_server_is_away(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ours")
    reviewer = Reviewer(f"http://127.0.0.1:{free_port()}", tmp_path)
    for number in range(3):
        with pytest.raises(Unavailable):
            reviewer.account(f"token-{number}")
    assert reviewer._turns == {}
