"""The gate's rules: what each refuses, what none of them decides, and what they cost."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from argus_gym.evidence import Evidence, Wanted
from argus_gym.records import LearnReport, RetestItem, RoundRecord, Verdict
from argus_gym.wrappers.rule import ANSWERS, label
from argus_gym.wrappers.rules import RULES, make
from argus_gym.wrappers.rules_baseline import commit_evidence
from argus_gym.wrappers.rules_published import z_score

NAN = math.nan
UP, FLAT, DOWN = 1, 0, -1
PAST_EPI = (0.018, 0.022, 0.020, 0.021, 0.019)
PAST_TREND = (0.01, -0.01, 0.02, -0.02, 0.0)


def item(before, after, chains=8, name="", cluster=0, anchor=True):
    return RetestItem(name, cluster, anchor, chains, before, after, before / chains, after / chains)


def record(index, items, gauges):
    return RoundRecord(
        index, (), tuple(items), LearnReport(), 0, 0, 0, NAN, NAN, gauges, {}, (8, 1.0), {}, {}
    )


def evidence(items, epi=0.02, heldout=NAN, history=(), round_=None, fresh=(), fresh_past=()):
    return Evidence(
        round=len(history) if round_ is None else round_,
        retests=tuple(items),
        gauges={"epi_train": epi, "epi_heldout": heldout},
        history=history,
        fresh=tuple(fresh),
        answers=2 * sum(i.chains for i in items),
        tokens=77,
        fresh_past=tuple(fresh_past),
    )


def trend_items(trend, n=10, chains=100, anchor=False):
    """Items whose mean difference is the trend, some of them up and some down."""
    half = round(trend * chains)
    shift = [half + 3 if i % 2 else half - 3 for i in range(n)]
    return [item(50, 50 + s, chains, str(i), anchor=anchor) for i, s in enumerate(shift)]


def past(rounds=5, anchor=False):
    return [
        record(i, trend_items(PAST_TREND[i], anchor=anchor), {"epi_train": PAST_EPI[i]})
        for i in range(rounds)
    ]


def answers(anchor=True, changes=(), n=16, chains=8):
    """A block where ``changes`` are the first items' differences, the rest ties."""
    changes = [*changes, *[0] * (n - len(changes))]
    return [item(4, 4 + c, chains, f"q{i}", i % 3, anchor) for i, c in enumerate(changes)]


# The published rules


@pytest.mark.parametrize("epi", [UP, FLAT, DOWN])
@pytest.mark.parametrize("trend", [UP, FLAT, DOWN])
def test_truth_table_of_the_rules_that_were_published_differently(epi, trend):
    """`published` refuses where both gauges are bad, `v3.4` where they disagree."""
    gain = {UP: 0.03, FLAT: 0.02, DOWN: -0.03}[epi]
    seen = evidence(trend_items({UP: 0.2, FLAT: 0.0, DOWN: -0.2}[trend]), gain, history=past())
    published, v34 = make("published").decide(seen), make("v3.4").decide(seen)
    assert (published.decision == "REFUSE") == (epi is DOWN and trend is DOWN)
    assert (v34.decision == "REFUSE") == (epi in (UP, FLAT) and trend is DOWN)
    assert {published.decision, v34.decision} <= {"REFUSE", "COMMIT"}
    assert published.target == v34.target == "before"


def test_the_first_rounds_of_the_published_rules():
    down = trend_items(-0.06)
    for rounds in range(4):
        assert make("v3.4").decide(evidence(down, history=past(rounds))).decision == "REFUSE"
        above = make("v3.4").decide(evidence(trend_items(-0.04), history=past(rounds)))
        assert above.decision == "COMMIT"
    for rounds in range(3):
        verdict = make("published").decide(evidence(down, -0.03, history=past(rounds)))
        assert verdict.decision == "UNDECIDED" and "3 needed" in verdict.reason
    assert make("published").decide(evidence(down, -0.03, history=past(3))).decision == "REFUSE"
    three = make("v3.4").decide(evidence(down[:3]))
    assert three.decision == "UNDECIDED" and "4 needed" in three.reason


@pytest.mark.parametrize(("epi", "severity"), [(0.01, 1.0), (0.2, 1.0), (0.4, 0.5), (2.0, 0.1)])
def test_severity_of_v34(epi, severity):
    verdict = make("v3.4").decide(evidence(trend_items(-0.2), epi, history=past()))
    assert verdict.decision == "REFUSE" and verdict.severity == pytest.approx(severity)


def test_the_z_score_is_scipys():
    rng = np.random.default_rng(0)
    values = rng.normal(size=9)
    assert z_score(values[-1], values[:-1]) == pytest.approx(
        float(stats.zmap(values[-1:], values[:-1])[0]), abs=1e-9
    )
    assert math.isnan(z_score(1.0, [0.1 + 0.2, 0.3])) and math.isnan(z_score(1.0, [0.3]))


def test_stability_refuses_a_gauge_that_is_too_quiet():
    rng = np.random.default_rng(4)

    def honest():
        rates = rng.uniform(0.2, 0.8, 32)
        return [item(*rng.binomial(8, rate, 2).tolist()) for rate in rates]

    cached = honest()
    stuck = [record(i, cached, {}) for i in range(6)]
    verdict = make("stability").decide(evidence(cached, history=stuck))
    assert verdict.decision == "REFUSE" and "stuck" in verdict.reason
    decisions = []
    for _ in range(300):
        live = [record(i, honest(), {}) for i in range(6)]
        decisions.append(make("stability").decide(evidence(honest(), history=live)).decision)
    assert decisions.count("REFUSE") <= 9
    live = [record(i, honest(), {}) for i in range(6)]
    verdict = make("stability").decide(evidence(cached, history=live))
    deltas = [[i.delta for i in r.retests] for r in live] + [[i.delta for i in cached]]
    expected = np.mean([stats.sem(d) ** 2 for d in deltas])
    seen = stats.tvar([np.mean(d) for d in deltas])
    assert verdict.statistics["p"] == pytest.approx(
        stats.chi2.cdf(6 * seen / expected, 6), abs=1e-9
    )


# Baselines


def test_never_hill_climb_and_mcnemar():
    down, up = answers(changes=[-1] * 5), answers(changes=[1] * 5)
    slightly = answers(changes=[-2, 1])
    assert [make("never").decide(evidence(i)).decision for i in (down, up)] == ["COMMIT"] * 2
    climbs = [make("hill_climb").decide(evidence(i)).decision for i in (down, up, slightly)]
    assert climbs == ["REFUSE", "COMMIT", "REFUSE"]
    sideways = make("hill_climb").decide(evidence(answers(changes=[1, -1])))
    assert sideways.decision == "COMMIT"
    mixed = answers(changes=[-1] * 4 + [1])
    tests = [make("mcnemar").decide(evidence(i)).decision for i in (down, up, mixed)]
    assert tests == ["REFUSE", "COMMIT", "COMMIT"]


def test_mcnemar_is_scipys_exact_test():
    changes = [-1] * 13 + [1] * 5
    pairs = [item(int(c < 0), int(c > 0), 1, str(i)) for i, c in enumerate(changes)]
    ties = [item(1, 1, 1, f"tie {i}") for i in range(110)]
    verdict = make("mcnemar").decide(evidence(pairs + ties))
    assert verdict.statistics["p"] == pytest.approx(
        stats.binomtest(5, 18, alternative="less").pvalue
    )
    assert verdict.statistics["p"] == pytest.approx(stats.binom.cdf(5, 18, 0.5), abs=1e-9)


def test_rules_that_test_bring_a_block_up_to_the_default_budget_first():
    block = answers(changes=[-1, 1, -1], n=8)
    for name in ("hill_climb", "mcnemar", "pace", "certified"):
        wanted = make(name).decide(evidence(block, fresh=[f"f{i}" for i in range(56)], round_=1))
        assert isinstance(wanted, Wanted) and wanted.anchors
        assert wanted.items >= (ANSWERS - 64) / 8
    wanted = make("mcnemar").decide(evidence(block, fresh=["only one"]))
    assert wanted == Wanted(1)
    wanted = make("mcnemar").decide(evidence([], fresh=["a", "b"]))
    assert isinstance(wanted, Wanted)
    past_block = answers(anchor=False, changes=[-1, 1], n=8)
    wanted = make("mcnemar", evidence="consensus").decide(
        evidence(past_block, fresh=["a"], fresh_past=["b", "c"])
    )
    assert wanted == Wanted(2, anchors=False)


def test_pace_commits_only_what_it_has_shown_to_be_better():
    better = answers(changes=[4] * 16)
    same = answers(changes=[1, -1] * 8)
    assert make("pace").decide(evidence(better)).decision == "COMMIT"
    assert make("pace").decide(evidence(better, fresh=["a"])).decision == "COMMIT"
    asks = make("pace").decide(evidence(same, fresh=[f"f{i}" for i in range(48)]))
    assert asks == Wanted(16)
    spent = make("pace", budget=128).decide(evidence(same, fresh=["a"]))
    assert spent.decision == "REFUSE"
    slack = make("pace", slack=0.3).decide(evidence(same))
    assert slack.decision == "COMMIT"


def test_the_evidence_of_pace_has_mean_at_most_one_for_a_step_that_is_not_better():
    rng = np.random.default_rng(5)
    values = []
    for _ in range(3_000):
        rates = rng.beta(0.75, 0.75, 12)
        pairs = rng.binomial(4, np.stack([rates, rates])).T.tolist()
        values.append(math.exp(commit_evidence([item(*pair, 4) for pair in pairs], 0.0)))
    assert np.mean(values) <= 1 + 3 * np.std(values) / math.sqrt(len(values))
    assert np.mean(np.array(values) >= 20) <= 0.05
    single = [item(0, 1, 1), item(1, 0, 1), item(0, 1, 1), item(1, 1, 1)]
    bets = np.array((0.03, 0.06, 0.12, 0.25, 0.5, 0.9))
    assert commit_evidence(single, 0.0) == pytest.approx(
        math.log(np.mean((1 + bets) ** 2 * (1 - bets))), abs=1e-9
    )


# What no rule decides

DECIDING = [name for name in RULES if name != "never"]
NOTHING = {
    "no retests": [],
    "one retest": [item(4, 3)],
    "all ties": [item(r % 7 + 1, r % 7 + 1) for r in range(16)],
    "all solved": [item(8, 8)] * 16,
    "all failed": [item(0, 0)] * 16,
}


@pytest.mark.parametrize("name", DECIDING)
@pytest.mark.parametrize("case", NOTHING)
@pytest.mark.parametrize("kind", ["anchors", "consensus"])
def test_items_that_show_nothing_are_undecided_and_say_why(name, case, kind):
    rule = make(name, evidence=kind)
    rule.start(15)
    items = [item(i.right_before, i.right_after, anchor=kind == "anchors") for i in NOTHING[case]]
    verdict = rule.decide(evidence(items, history=past(anchor=kind == "anchors")[:3]))
    assert isinstance(verdict, Verdict)
    assert verdict.decision == "UNDECIDED" and verdict.severity == 0
    assert verdict.reason and verdict.rule == name
    assert ("blind to shared misconceptions" in verdict.reason) == (kind == "consensus")


@pytest.mark.parametrize("name", ["published", "v3.4"])
@pytest.mark.parametrize("epi", [NAN, math.inf])
def test_rules_that_need_a_report_do_not_decide_without_one(name, epi):
    verdict = make(name).decide(evidence(trend_items(-0.2), epi, history=past()))
    assert verdict.decision == "UNDECIDED" and "no epi gain" in verdict.reason


def test_gauges_that_never_vary_are_undecided():
    still = [record(i, trend_items(0.01), {"epi_train": 0.02}) for i in range(6)]
    for name, word in (("published", "epi gain"), ("v3.4", "retest trend")):
        verdict = make(name).decide(
            evidence(trend_items(-0.3), -0.1 if name == "published" else 0.1, history=still)
        )
        assert verdict.decision == "UNDECIDED" and f"{word} never varied" in verdict.reason


def test_anchors_are_not_consensus():
    bad = trend_items(-0.2, anchor=True) + trend_items(0.2, anchor=False)
    assert make("v3.4").decide(evidence(bad)).decision == "COMMIT"
    assert make("v3.4", evidence="anchors").decide(evidence(bad)).decision == "REFUSE"
    assert make("v3.4", evidence="anchors").decide(evidence(bad[10:])).decision == "UNDECIDED"


def test_the_label_never_decides():
    assert label(0.02, True) == "self-deception" and label(-0.02, True) == "damage"
    assert label(0.0, False) == "saturation" and label(0.02, False) == "progress"
    assert label(0.0, True) == "damage"
    assert label(NAN, True).startswith("unlabelled") and label(-0.1, False).startswith("unlabelled")
    decisions = set()
    for heldout in (NAN, -0.1, 0.0, 0.1):
        rule = make("certified")
        rule.start(15)
        verdict = rule.decide(evidence(answers(changes=[-1] * 6), heldout=heldout, round_=0))
        assert label(heldout, True) in verdict.reason
        decisions.add(verdict.decision)
    assert decisions == {"REFUSE"}


# certified


def pool(rates, chains=8, rng=None, after=None):
    """Every anchor answered before and after by models with these rates."""
    after = rates if after is None else after
    return [
        item(int(b), int(a), chains, f"q{i}", i % 4)
        for i, (b, a) in enumerate(zip(rng.binomial(chains, rates), rng.binomial(chains, after)))
    ]


def test_the_first_round_measures_the_whole_reference():
    rule = make("certified")
    rule.start(15)
    fresh = [f"q{i}" for i in range(8, 64)]
    assert rule.decide(evidence(answers(n=8), fresh=fresh)) == Wanted(56)
    verdict = rule.decide(evidence(answers(changes=[1, -1], n=64)))
    assert verdict.decision == "COMMIT" and "not certified" in verdict.reason
    assert len(rule.state()["rates"]) == 64


def test_a_later_round_asks_for_the_reference_items_asked_longest_ago():
    rule = make("certified")
    rule.start(15)
    names = [f"q{i}" for i in range(64)]
    rule.decide(evidence(answers(changes=[1, -1], n=64)))
    block = answers(changes=[1, -1], n=64)
    wanted = rule.decide(evidence(block[:8], round_=1, fresh=names[8:]))
    assert wanted.items == 0 and wanted.problems == tuple(names[8:16])
    up = answers(changes=[1] * 64, n=64)
    assert rule.decide(evidence(up[:16], round_=1, fresh=names[16:])).decision == "COMMIT"
    wanted = rule.decide(evidence(up[:8], round_=2, fresh=names[8:]))
    assert wanted.problems == tuple(names[16:24])
    wanted = rule.decide(evidence(up[:8], round_=4, fresh=names[8:]))
    assert wanted.problems == tuple(names[8:])


def test_a_doubtful_step_draws_more_and_a_bad_one_is_refused():
    rule = make("certified")
    rule.start(15)
    rule.decide(evidence(answers(changes=[1, -1], n=64)))
    doubtful = answers(changes=[-1, -1, -1, -1, 1], n=16)
    wanted = rule.decide(evidence(doubtful, round_=1, fresh=[f"q{i}" for i in range(16, 64)]))
    assert wanted == Wanted(48)
    cleared = doubtful + answers(changes=[0] * 16 + [1] * 8, n=64)[16:]
    assert rule.decide(evidence(cleared, round_=1)).decision == "COMMIT"
    damned = doubtful + answers(changes=[0] * 16 + [-1] * 8, n=64)[16:]
    verdict = rule.decide(evidence(damned, round_=2))
    assert (verdict.decision, verdict.target, verdict.severity) == ("REFUSE", "before", 1.0)
    assert verdict.answers == 1_024 and verdict.tokens == 77
    assert verdict.statistics["p"] <= 0.05 and verdict.statistics["n"] == 64


def test_a_slide_that_no_step_shows_is_refused_back_to_the_certified_weights():
    rng = np.random.default_rng(6)
    rates = rng.uniform(0.3, 0.9, 64)
    rule = make("certified", every=50)
    rule.start(15)
    targets = []
    for index in range(12):
        before, after = rates - 0.02 * index, rates - 0.02 * (index + 1)
        verdict = rule.decide(evidence(pool(before, rng=rng, after=after), round_=index))
        targets.append(verdict.target if verdict.decision == "REFUSE" else None)
        if targets[-1] == "certified":
            break
    assert targets[-1] == "certified" and verdict.severity == 1.0
    assert verdict.statistics["e"] >= verdict.statistics["alarm"] == 15 / 0.05
    after = rule.decide(evidence(pool(rates, rng=rng), round_=12))
    assert after.decision != "REFUSE" and after.statistics["e"] < 5


def test_certificates_move_the_reference_only_where_nothing_was_lost():
    rng = np.random.default_rng(7)
    rates = rng.uniform(0.3, 0.6, 64)
    rule = make("certified", every=2)
    rule.start(15)
    rule.decide(evidence(pool(rates, rng=rng), round_=0))
    first = rule.state()["rates"]
    verdict = rule.decide(evidence(pool(rates + 0.1, rng=rng), round_=1))
    assert verdict.decision == "COMMIT_CERTIFIED"
    assert verdict.statistics["drop"] <= 0 and verdict.statistics["drop_high"] < 0.05
    second = rule.state()["rates"]
    assert second != first
    worse = rule.decide(evidence(pool(rates + 0.06, rng=rng), round_=3))
    assert worse.decision == "COMMIT" and worse.statistics["drop"] > 0
    kept = rule.state()["rates"]
    assert {p: r["right"] for p, r in kept.items()} == {p: r["right"] for p, r in second.items()}


def test_too_few_chains_leave_drift_unwatched_and_say_so():
    rule = make("certified")
    rule.start(15)
    verdict = rule.decide(evidence(answers(changes=[1, -1], n=32, chains=4), round_=0))
    assert "not watched" in verdict.reason and verdict.decision == "COMMIT"
    verdict = rule.decide(evidence(answers(changes=[1, -1], n=32, chains=4), round_=4))
    assert verdict.decision == "COMMIT"


def test_certified_continues_from_its_state():
    rng = np.random.default_rng(8)
    rates = rng.uniform(0.3, 0.9, 64)
    blocks = [pool(rates - 0.01 * i, rng=rng, after=rates - 0.01 * (i + 1)) for i in range(8)]
    rule, verdicts = make("certified"), []
    rule.start(15)
    for index, block in enumerate(blocks):
        other = make("certified")
        other.start(3)
        other.load_state(json.loads(json.dumps(rule.state(), allow_nan=False)))
        verdicts.append(rule.decide(evidence(block, round_=index)))
        again = other.decide(evidence(block, round_=index))
        assert repr(again) == repr(verdicts[-1]) and other.state() == rule.state()


def test_identical_weights_are_refused_no_more_often_than_alpha():
    rng = np.random.default_rng(9)
    for name in [name for name, rule in RULES.items() if rule.safe]:
        refused = 0
        for _ in range(400):
            rule = make(name)
            rule.start(1)
            verdict = rule.decide(evidence(pool(rng.beta(0.75, 0.75, 64), rng=rng), round_=0))
            refused += verdict.decision == "REFUSE"
        assert stats.binomtest(refused, 400, 0.05, alternative="greater").pvalue > 0.01, name
    assert {name for name, rule in RULES.items() if rule.safe} == {"never", "mcnemar", "certified"}


# Names and options


def test_unknown_rules_name_the_nearest():
    with pytest.raises(ValueError, match=r"got 'certifed': certified\?"):
        make("certifed")
    with pytest.raises(ValueError, match="rule must be one of"):
        make("")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("never", {"alpha": 0.0}, "alpha must be in"),
        ("never", {"alpha": math.nan}, "alpha must be in"),
        ("mcnemar", {"evidence": "vibes"}, "evidence must be one of"),
        ("certified", {"screen": 0.01}, "screen must be in"),
        ("certified", {"every": 0}, "every must be at least 1"),
        ("certified", {"tolerance": 0.0}, "tolerance must be in"),
        ("certified", {"error_units": -1.0}, "error_units must be"),
        ("pace", {"slack": 1.0}, "slack must be in"),
        ("pace", {"budget": 0}, "budget must be at least 1"),
        ("mcnemar", {"every": 5}, "rule mcnemar has the options"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, **options)
