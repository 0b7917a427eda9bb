from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON

from twinlock.domain.bounds import RISK_MOST as MOST
from twinlock.domain.canonical import encode
from twinlock.domain.risk.back_off import Feature, ip_ratio, of_account, ua_ratio
from twinlock.domain.risk.counters import LEVELS, Counters, Path, steps
from twinlock.domain.risk.scoring import RAISED, Noticed, risk_of, unread
from twinlock.domain.risk.visits import (
    DOWN,
    HISTORY_BYTES_MOST,
    NODE_LETTERS,
    RTT_MOST,
    History,
    Visit,
    VisitFault,
    levels_of,
    path_of,
    remember,
)

HUGE = 10**18
letters = st.sampled_from("abc")
places = st.none() | st.tuples(st.integers(-900, 900), st.integers(-1_800, 1_800))


def joined(draw: st.DrawFn) -> str:
    """Draw a path of few nodes, so that accounts come back to them."""
    depth, node, path = draw(st.integers(0, LEVELS)), "", ""
    for _ in range(depth):
        node += draw(letters)
        path += node.ljust(NODE_LETTERS, "-")
    return path


@st.composite
def visits(draw: st.DrawFn) -> Visit:
    return Visit(
        ip=joined(draw),
        ua=joined(draw),
        place=draw(places),
        rtt=draw(st.integers(0, RTT_MOST)),
        version=draw(st.integers(0, 200)),
        faults=tuple(draw(st.lists(st.sampled_from(VisitFault), max_size=2))),
    )


@st.composite
def counters(draw: st.DrawFn, *paths: str) -> Counters:
    """Draw counts of a tree: no node more often than the one above it, however often that is."""
    counts = {"": draw(st.integers(0, HUGE))}
    children: dict[str, int] = {}
    for path in paths:
        parent = ""
        for node in filter(None, path_of(path)):
            counts.setdefault(node, draw(st.integers(0, counts[parent])))
            children[parent] = draw(st.integers(1, HUGE)) if counts[node] else 0
            parent = node
    return Counters(counts, children)


@st.composite
def sign_ins(draw: st.DrawFn) -> tuple[Noticed, History]:
    history = History()
    for back in range(draw(st.integers(0, 8)), 0, -1):
        history = remember(history, draw(visits()), at=NOON - timedelta(hours=7 * back))
    visit = draw(visits())
    noticed = Noticed(
        visit=visit,
        ip=steps(path_of(visit.ip), draw(counters(visit.ip))),
        ua=steps(path_of(visit.ua), draw(counters(visit.ua))),
        hosting=draw(st.booleans()),
        fan_out=draw(st.integers(0, HUGE)),
    )
    return noticed, history


failures = st.integers(0, 10**9)


@given(st.data(), visits())
def test_every_step_is_a_probability(data: st.DataObject, visit: Visit) -> None:
    found = steps(path_of(visit.ip), data.draw(counters(visit.ip)))

    assert len(found) == LEVELS
    assert all(0 < one <= 1 for one in found)


@given(sign_ins(), st.booleans(), failures)
def test_a_score_is_a_whole_number_from_0_to_100(
    one: tuple[Noticed, History], new: bool, wrong: int
) -> None:
    noticed, history = one

    found = risk_of(noticed, history, new_device=new, failures=wrong, now=NOON)

    assert isinstance(found, int)
    assert 0 <= found <= MOST


@given(sign_ins(), failures)
def test_whatever_more_is_noticed_never_lowers_a_score(
    one: tuple[Noticed, History], wrong: int
) -> None:
    noticed, history = one
    less = risk_of(noticed, history, new_device=False, failures=wrong, now=NOON)

    for more, new, errors in (
        (noticed, True, wrong),
        (noticed, False, wrong + 1),
        (replace(noticed, hosting=True), False, wrong),
        (replace(noticed, fan_out=2 * noticed.fan_out + 1), False, wrong),
    ):
        assert risk_of(more, history, new_device=new, failures=errors, now=NOON) >= less


@given(sign_ins(), st.sampled_from(sorted(DOWN)))
def test_what_is_down_is_raised_where_there_is_a_history(
    one: tuple[Noticed, History], fault: VisitFault
) -> None:
    noticed, history = one
    down = replace(noticed, visit=replace(noticed.visit, faults=(fault,)))

    found = risk_of(down, history, new_device=False, failures=0, now=NOON)

    assert found >= RAISED or not history.at


@given(sign_ins(), st.data())
def test_an_address_that_cannot_be_read_never_scores_less_than_one_that_nobody_saw(
    one: tuple[Noticed, History], data: st.DataObject
) -> None:
    _, history = one
    strange = Visit(ip="".join(f"new{level}" for level in range(LEVELS)))
    seen = data.draw(counters(strange.ip))
    never = Counters({"": seen.counts[""]}, {"": seen.children.get("", 0)})
    likely = steps(path_of(strange.ip), never)
    own = levels_of(history.ip)

    unknown = ip_ratio(Feature(("",) * LEVELS, likely), own)

    assert unknown >= ip_ratio(Feature(path_of(strange.ip), likely), own) - 1e-9


@given(sign_ins(), st.integers(0, LEVELS))
def test_a_user_agent_that_cannot_be_read_never_scores_less_than_one_that_can(
    one: tuple[Noticed, History], known: int
) -> None:
    noticed, history = one
    path: Path = path_of(noticed.visit.ua)
    cut = path[:known] + ("",) * (LEVELS - known)
    own = levels_of(history.ua)

    assert (
        ua_ratio(Feature(cut, noticed.ua), own) >= ua_ratio(Feature(path, noticed.ua), own) - 1e-9
    )


@given(sign_ins())
def test_what_was_shown_once_more_is_likelier_of_the_account(
    one: tuple[Noticed, History],
) -> None:
    """Where it was shown at every level: T stays, and n and c grow together."""
    noticed, _ = one
    if len(noticed.visit.ip) < LEVELS * NODE_LETTERS:
        return
    feature = Feature(path_of(noticed.visit.ip), noticed.ip)
    history, likely = History(), []
    for _ in range(4):
        history = remember(history, noticed.visit, at=NOON)
        likely.append(of_account(feature, levels_of(history.ip)))

    assert likely == sorted(likely)


@given(st.lists(visits(), max_size=40))
def test_a_history_stays_small(shown: list[Visit]) -> None:
    history = History()
    for number, visit in enumerate(shown):
        history = remember(history, visit, at=NOON + timedelta(minutes=number))

    assert len(encode(history)) <= HISTORY_BYTES_MOST


def test_what_nobody_told_is_worst_where_something_is_known() -> None:
    history = remember(History(), Visit(ip="a---", ua="a---"), at=NOON)

    told = risk_of(unread(), history, new_device=False, failures=0, now=NOON)
    known = Noticed(visit=Visit(ip="a---", ua="a---"), ip=(0.1,) * 4, ua=(0.1,) * 4)

    assert told > risk_of(known, history, new_device=False, failures=0, now=NOON)
