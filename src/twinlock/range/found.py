"""What the prover finds, as scripts to be played: every minimal attack, in its first state."""

from collections.abc import Iterator

from twinlock.bootstrap.proving import Prover, Sheet
from twinlock.bootstrap.proving import rules_of as deciding
from twinlock.domain.requirements import Answer
from twinlock.range.attacking import NotAsFoundError, Script, Thief, script_of
from twinlock.range.leaving_by import PLAYED
from twinlock.range.profiles import rules_of


def scripts_of(profile: str) -> tuple[Script, ...]:
    """Return every minimal attack on ``profile`` that goes through the gate.

    Of exits that are answered alike each is taken in its turn; what a platform registers itself
    (``platform.exit``) leaves by none of ours, and is left out.
    """
    return tuple(
        script
        for sheet in Prover().sheets(rules_of(profile))
        for script in _of(sheet)
        if not script.past_the_gate
    )


def _of(sheet: Sheet) -> Iterator[Script]:
    system, found = sheet
    for goal, some in found.items():
        exits = [one for one in system.exits[goal.split(":")[1]] if one in PLAYED]
        yield from (script_of(system, goal, one, exits=exits) for one in some if exits)


def distinct(scripts: tuple[Script, ...]) -> tuple[Script, ...]:
    """Return one script, the soonest, of each set of capabilities and each kind of exit."""
    soonest: dict[tuple[tuple[str, ...], str], Script] = {}
    for one in sorted(scripts, key=lambda one: one.minutes):
        soonest.setdefault((one.capabilities, one.deeds[-1].rule.action), one)
    return tuple(soonest.values())


def not_as_found(profile: str, scripts: tuple[Script, ...]) -> list[str]:
    """Play each of ``scripts`` at the gate; return what did not succeed at its very minute."""
    rules = deciding(rules_of(profile))
    wrong = []
    for script in scripts:
        try:
            answered = Thief(script, rules=rules).play()
        except NotAsFoundError as other:
            wrong.append(str(other))
            continue
        if answered.answer is not Answer.ALLOW:
            wrong.append(f"{script}: {answered.answer.value}")
    return wrong
