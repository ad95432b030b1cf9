"""Where a certificate and a proof that was made again differ, in words.

Times do not count, nor which strategy of the solver answered first, nor the second solver. All else does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .certificate import Certificate, Identity, ObligationShape, PropertyShape

__all__ = ["identity_differences", "proof_differences"]

_Key = tuple[str, str]
_PLACES = 2
"""Questions that are named where a property has other ones."""


def identity_differences(given: Identity, found: Identity) -> Iterator[str]:
    """Yield how what is proved now differs from what a certificate is about; the spec's own file may have any name."""
    if given.name != found.name:
        yield f"the spec is called `{found.name}`, in the certificate `{given.name}`"
    yield from _file_differences(given, found)
    if given.program != found.program:
        yield f"the program is {found.program[:12]}, in the certificate {given.program[:12]}"
    if given.fill != found.fill:
        yield f"orders fill at the {found.fill} mark, in the certificate at the {given.fill} one"
    if given.parameters != found.parameters:
        yield f"fixed params are {_set(found.parameters)}, in the certificate {_set(given.parameters)}"
    if given.only != found.only:
        yield f"asked for is {_names(found.only)}, in the certificate {_names(given.only)}"
    if given.version != found.version:
        yield f"this is hedgerow {found.version}, in the certificate {given.version}"
    if given.engine != found.engine:
        yield f"the engine's code is {found.engine[:12]}, in the certificate {given.engine[:12]}"
    if given.solver != found.solver:
        yield f"the solver is {found.solver}, in the certificate {given.solver}"


def proof_differences(given: Certificate, found: Certificate) -> Iterator[str]:
    """Yield how a proof that was made again differs from a certificate, property by property."""
    if given.verdict != found.verdict:
        yield f"on the whole it is {found.verdict}, in the certificate {given.verdict}"
    if given.outcomes != found.outcomes:
        yield f"an event can go {found.outcomes:,} ways, in the certificate {given.outcomes:,}"
    before, now = _by_key(given.properties), _by_key(found.properties)
    if len(before) < len(given.properties):
        yield "the certificate has a property twice"
    for key in sorted(before.keys() ^ now.keys()):
        if key not in now:
            yield f"{_called(key)} is in the certificate and not claimed"
        else:
            yield f"{_called(key)} is claimed and not in the certificate"
    for key in (key for key in now if key in before):
        for told in _property_differences(before[key], now[key]):
            yield f"{_called(key)}: {told}"
    for told in _question_differences(given.grounds, found.grounds):
        yield f"what all properties rest on: {told}"
    for what, one, other in (
        ("facts", given.facts, found.facts),
        ("what is assumed", given.assumed, found.assumed),
        ("what is not proved", given.unproved, found.unproved),
    ):
        if Counter(one) != Counter(other):
            yield f"{what}: {_of_lists(one, other)}"


def _file_differences(given: Identity, found: Identity) -> Iterator[str]:
    if given.files[0].sha256 != found.files[0].sha256:
        yield f"the text of `{found.files[0].file}` is not the one that the certificate is about"
    before = {each.file: each.sha256 for each in given.files[1:]}
    now = {each.file: each.sha256 for each in found.files[1:]}
    for file in sorted(before.keys() | now.keys()):
        if file not in now:
            yield f"`{file}` is used in the certificate and not by the spec"
        elif file not in before:
            yield f"`{file}` is used by the spec and not in the certificate"
        elif before[file] != now[file]:
            yield f"the text of `{file}` is not the one that the certificate is about"


def _property_differences(given: PropertyShape, found: PropertyShape) -> Iterator[str]:
    if given.verdict != found.verdict:
        yield f"{found.verdict}, in the certificate {given.verdict}"
    if given.kind != found.kind or given.words != found.words:
        yield f"it says `{found.words}`, in the certificate `{given.words}`"
    if Counter(given.opaque) != Counter(found.opaque):
        yield f"functions of unknown results are {_names(found.opaque)}, in the certificate {_names(given.opaque)}"
    yield from _question_differences(given.obligations, found.obligations)


def _question_differences(given: Sequence[ObligationShape], found: Sequence[ObligationShape]) -> Iterator[str]:
    """Yield which questions, by place and hash, are on one side only, and which have another answer."""
    before = Counter((each.place, each.sha256) for each in given)
    now = Counter((each.place, each.sha256) for each in found)
    gone, new = before - now, now - before
    if gone:
        yield f"{gone.total():,} of the certificate's questions not asked ({_places(gone)})"
    if new:
        yield f"{new.total():,} asked that the certificate lacks ({_places(new)})"
    if not gone and not new:
        answers = Counter((each.place, each.sha256, each.verdict) for each in given)
        changed = Counter((each.place, each.sha256, each.verdict) for each in found) - answers
        if changed:
            yield f"{changed.total():,} answered otherwise ({_places(changed)})"


def _places(questions: Iterable[tuple[str, ...]]) -> str:
    places = sorted({place for place, *_ in questions})
    more = f"; {len(places) - _PLACES:,} more places" if len(places) > _PLACES else ""
    return "; ".join(places[:_PLACES]) + more


def _by_key(properties: Sequence[PropertyShape]) -> dict[_Key, PropertyShape]:
    return {(each.code, each.name): each for each in properties}


def _called(key: _Key) -> str:
    return f"{key[0]} `{key[1]}`"


def _of_lists(given: Sequence[str], found: Sequence[str]) -> str:
    gone, new = Counter(given) - Counter(found), Counter(found) - Counter(given)
    told = [f"not any more `{next(iter(gone))}`"] if gone else []
    told += [f"new `{next(iter(new))}`"] if new else []
    left = gone.total() + new.total() - len(told)
    return ", ".join(told) + (f", and {left:,} more" if left else "")


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "all"


def _set(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "none"
