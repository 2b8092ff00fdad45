"""What a language model is asked: messages for its two roles, rendered by its chat template."""

__all__ = ["PROPOSER", "SOLVER", "Messages", "proposer_messages", "solver_messages"]

Messages = list[dict[str, str]]

SOLVER = (
    "Solve the word problem step by step. Write each calculation on a line of its own, such as "
    "6 * 3 = 18. End with a last line of four hash signs and the final number, such as #### 18."
)
PROPOSER = (
    "You write word problems that train a solver. Write one new problem with a single number as "
    "its answer. Every fact in it must be true and every number needed must be given. Make it of "
    "the same kind as the example, but not the same: longer where the solver gets most of this "
    "kind right, shorter where it gets few right. Write the problem only, without a solution."
)


def solver_messages(problem: str) -> Messages:
    """Return the messages that ask for one chain."""
    return [{"role": "system", "content": SOLVER}, {"role": "user", "content": problem}]


def proposer_messages(target: int, rate: float, example: str) -> Messages:
    """Return the messages that ask for one problem.

    Args:
        target: Cluster of the capability map to aim at, >= 0.
        rate: How much of that cluster the solver gets right, in [0, 1]; NaN where not known.
        example: A problem of the wanted kind; empty where there is none.
    """
    known = "unknown" if rate != rate else f"{100 * rate:.0f} percent"
    wanted = f"New problem. Kind {target}. Solved {known}."
    content = f"{wanted}\nExample: {example}" if example else wanted
    return [{"role": "system", "content": PROPOSER}, {"role": "user", "content": content}]
