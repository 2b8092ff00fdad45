"""Method notes: what each number of a report is, what its interval is, what it cannot say."""

from argus_gym.report.markup import Html, tag

__all__ = ["notes"]

NOTES = (
    (
        "Intervals",
        "All are 95 %, and none allows for how many of them a page shows: of twenty intervals "
        "around nothing, one is expected to miss. A number that was not measured is “–” or “not "
        "measured”, never a default.",
    ),
    (
        "External change",
        "pass@1 on problems that are neither trained on nor retested, the same ones before and "
        "after the run, after minus before. Student’s t over the problems’ differences: problems "
        "are the unit, because the answers to one problem are not independent. It speaks of "
        "problems like these, and of this one run: another seed is another run.",
    ),
    (
        "Noise band",
        "1.96 √(2p(1−p)/n) with p the pass@1 before the run and n the number of problems: how far "
        "two unpaired measurements of one unchanged model lie apart. It takes each problem as "
        "one answer, so it is wide where there are several answers to each.",
    ),
    (
        "Mean of repeated runs",
        "Runs count as repeated where every setting but the seed is the same. Student’s t over "
        "the runs’ changes. Runs with different settings are never averaged.",
    ),
    (
        "In-loop change",
        "Mean reward (consensus of the chains, not correctness) of the last round minus the "
        "first, as if problems were independent: normal interval over problems. The problems of "
        "the two rounds differ, so an easier curriculum raises it.",
    ),
    (
        "External minus in-loop",
        "The difference of the two changes; its interval combines theirs by the method of "
        "square-and-add (MOVER), taking them as independent.",
    ),
    (
        "Verdict",
        "Up or down where the 95 % interval excludes zero, otherwise not measurably changed. "
        "“The loop deceives itself” is said where in-loop is up and external is down.",
    ),
    (
        "Fingerprint",
        "Skill: mean outcome by visited cluster in the last round. Learning gauge: sum over "
        "rounds of the loss before minus after a step on the pairs trained on; shuffled answers "
        "raise it too. Defensive events: as counted below, for each round. Largest fall: minus "
        "the normal score of the smallest exact one-sided p-value of a round’s paired anchors, 0 "
        "where none fell; it is the largest of all rounds, so about 1.7 is expected of 15 "
        "rounds in which nothing changed. Only the external change has an interval: the others "
        "are counts, sums or maxima.",
    ),
    (
        "Defensive events",
        "Alarms, defences carried out, refused and certified steps, and warnings in the ledger. "
        "A stack with more detectors has more of them whatever the model does.",
    ),
    (
        "Reward, anchors right",
        "Means over the round’s problems and over its anchors; normal intervals. Which anchors "
        "are asked changes from round to round.",
    ),
    (
        "Anchor change",
        "The same anchors with the same number of chains before and after the learning step. "
        "Student’s t over items, Clopper-Pearson where all differences are equal.",
    ),
    (
        "Easy per hard",
        "(easy + ½) / (hard + ½); the interval of its logarithm is ± 1.96 √(1/(easy + ½) + "
        "1/(hard + ½)). It moves when the model improves as well as when the curriculum tips.",
    ),
    (
        "Firings",
        "From the ledger: rounds in which a detector’s score passed its threshold. Scores below "
        "it are not kept. A detector’s false alarms are in the package’s documentation.",
    ),
)


def notes() -> list[Html]:
    """Return the method notes."""
    parts = [element for name, text in NOTES for element in (tag("dt", name), tag("dd", text))]
    return [tag("dl", *parts)]
