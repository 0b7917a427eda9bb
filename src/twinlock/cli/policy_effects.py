"""What each rule of a policy does beside the others and the laws, as ``policy check`` tells it."""

from collections.abc import Iterable, Iterator, Mapping

from twinlock.domain.policy.examples import answer_in_words, facts_in_words
from twinlock.domain.policy.shadows import Effect, State


def effect_notes(effects: Iterable[Effect], lines: Mapping[str, int]) -> Iterator[str]:
    """Give the rules that change no answer, or of which nobody can say: a line for each reason."""
    alike: dict[str, list[str]] = {}
    for one in effects:
        if one.state in (State.SHADOWED, State.UNSEEN):
            line = lines.get(one.rule, 0)
            where = f" (line {line})" if line else ""
            alike.setdefault(f"{one.state.value}: {_says(one)}", []).append(f"{one.rule}{where}")
    for says, rules in alike.items():
        yield f"note: {says}: {', '.join(rules)}"


def effect_table(effects: Iterable[Effect]) -> Iterator[str]:
    """Give every rule with an example, on a few lines each."""
    for one in effects:
        yield f"{one.rule}: {one.state.value}: {_says(one)}"
        if one.example is not None:
            yield f"  {one.example.action}: {facts_in_words(one.example.facts)}"
            yield f"    without it {answer_in_words(one.example.first)}"
            yield f"    with it    {answer_in_words(one.example.second)}"


def _says(one: Effect) -> str:
    by = f", by {', '.join(one.by)}" if one.by else ""
    tried = f" ({one.tried:,} of {one.cells:,} cells)" if one.state is State.UNSEEN else ""
    return f"{one.says}{by}{tried}"
