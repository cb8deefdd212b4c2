"""Which captions were found right."""

import pytest

from core.captions import review
from core.errors import BocetoError


def test_a_caption_is_reviewed_until_its_text_changes(tmp_path):
    path = tmp_path / "reviewed.json"
    assert review.load(path) == {}
    review.save(path, {"a.png": review.mark("a cat")})
    kept = review.load(path)
    assert review.is_reviewed(kept, "a.png", "a cat")
    assert not review.is_reviewed(kept, "a.png", "a dog")
    assert not review.is_reviewed(kept, "b.png", "a cat")


def test_a_damaged_file_is_said_and_not_overwritten(tmp_path):
    path = tmp_path / "reviewed.json"
    path.write_text("{broken")
    with pytest.raises(BocetoError):
        review.load(path)
    assert path.read_text() == "{broken"
