"""Finding the cheapest measures with which a training fits, from what was reckoned and what is then measured."""

from core.plan.memory import Measures, does_not_fit, fitting, needed
from core.settings import Settled

_TRIES = 6
_MORE = 0.03
"""A training that ran out of memory is taken to need so much more than the limit, as a share of it."""


class Search:
    """A search in few tries; each makes a training ready and takes two steps and a picture."""

    def __init__(self, plan: Settled, size: tuple[int, int, int], limit: int) -> None:
        """`size` is what `needed` asks: pictures in a step, latent pixels of each, captions; `limit` in bytes.

        Raises BocetoError where it is sure beforehand that nothing would be enough.
        """
        self._plan, self._size, self._limit = plan, size, limit
        self._tried: set[Measures] = set()
        self._good: Measures | None = None
        self.measures = fitting(plan, *size, limit)[0]
        """What is to be tried next; at the end what is to be taken."""

    def told(self, peak: int | None) -> bool:
        """Take in what was measured with `measures`, None for out of memory. Returns whether the search is at its end.

        Raises BocetoError when nothing that is left can be enough.
        """
        self._tried.add(self.measures)
        reckoned = needed(self._plan, *self._size, self.measures).peak
        if peak is not None and peak <= self._limit:
            self._good, over = self.measures, peak - reckoned
        elif self._good is not None:
            self.measures = self._good
            return True
        else:
            over = max(peak or 0, int(self._limit * (1 + _MORE))) - reckoned
        wanted = fitting(self._plan, *self._size, self._limit, over)[0]
        if wanted in self._tried or len(self._tried) == _TRIES:
            if self._good is None:
                raise does_not_fit(reckoned + over, self._limit)
            self.measures = self._good
            return True
        self.measures = wanted
        return False
