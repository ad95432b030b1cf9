"""Mathematical honesty: what a spec says of itself in words is held to what markets allow and to what backs it.

```
folded     a text as it is meant to be read: one spelling, words, clauses; each letter knows where it stood
phrases    what no market allows, with the reason and its source: the word list
denial     whether a text says such a thing or denies it
texts      the texts and names of a document, judged, each finding at its place
backing    `claims:`: each has a claim to prove, a study or a test that there is
```
"""

from __future__ import annotations

from .backing import Backed, backed_claims, check_backing
from .texts import check_texts

__all__ = ["Backed", "backed_claims", "check_backing", "check_texts"]
