"""The gate around any run of a transformers trainer: SFT, GRPO, DPO and the rest of TRL."""

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback

from argus_gym import answers, consensus
from argus_gym.agents.prompts import Messages, solver_messages
from argus_gym.agents.trl_checks import check
from argus_gym.agents.trl_rewards import known_answer
from argus_gym.agents.trl_sampling import likelihood, sample
from argus_gym.agents.trl_weights import Keeper, Weights, blend, finite, trainable
from argus_gym.capability_map import CapabilityMap, hashed_words
from argus_gym.evidence import Evidence
from argus_gym.gauges import measure
from argus_gym.ledger import Ledger
from argus_gym.records import LearnReport, RoundRecord, Value, Verdict, decode, encode
from argus_gym.retests import Answered, Item, RetestBlock, Side, draw_more
from argus_gym.wrappers import rules

__all__ = ["GateCallback"]

KEY = "argus_gate"
LOG = logging.getLogger(__name__)
Pairs = Sequence[tuple[str, str]]


class GateCallback(TrainerCallback):  # type: ignore[misc]
    """Retests the model on anchors at every save step, and takes refused steps back.

    A round is what was trained since the last save step. The weights before and after it answer the
    same anchors; the gate's rule, that of :class:`~argus_gym.wrappers.gate.ERCVGate`, decides, and
    may have more anchors answered first. The checkpoint is written after the decision. After a
    ``REFUSE`` the trained weights go back to those before the round, or to the last certified ones,
    by the verdict's severity, and the optimiser's state is cleared: its moments belong to gradients
    that were refused. The schedule and the data go on. A weight that is not finite is refused at
    once, in any step, without asking the rule.

    Only weights that require a gradient are kept and put back: with LoRA, the adapter. The folder
    holds ``ledger.jsonl`` and the last two certified states, each whole or absent; the weights at
    the start count as certified. Each verdict is also an entry ``gate/...`` of the trainer's
    ``state.log_history``. A resumed run goes on with the gate its checkpoint was written under, and
    keeps the state which that names; a fresh one clears the folder of what an earlier one left.

    Args:
        anchors: Problems with known answers that training never sees; an answer is a number or a
            text.
        rule: A name in :data:`argus_gym.wrappers.rules.RULES`.
        alpha: Error rate of the rule, in (0, 1).
        options: Further arguments of the rule.
        items: Anchors answered in a round before the rule asks for more, >= 1.
        chains: Answers to each on each side, >= 1; the drift tier of ``certified`` needs 8.
        prompt: Turns a problem into messages, or into a text where there is no chat template.
        max_new_tokens: Longest answer, >= 1.
        temperature: Sampling temperature, > 0.
        batch_size: Answers sampled together, >= 1; halved where the device runs out of memory.
        trained: Pairs of prompt and completion from the training data, of which the learning gauge
            is measured; the rules ``published`` and ``v3.4`` cannot decide without.
        heldout: The same, from outside; labels verdicts of ``certified``.
        folder: Where ledger and certified weights go; ``gate`` in the trainer's output folder where
            ``None``.
        seed: Seed of draws and sampling, >= 0; the global generators stay as they are.

    Attributes:
        verdicts: Every verdict of the run, in order.
        history: One record for each decision of the rule.

    Raises:
        ValueError: If an argument is outside its range, or, as training starts, the run is one
            that the gate cannot judge.
        MemoryError: If not even one answer to an anchor fits on the device.
    """

    def __init__(
        self,
        anchors: Sequence[tuple[str, Any]],
        *,
        rule: str = "certified",
        alpha: float = 0.05,
        options: dict[str, Any] | None = None,
        items: int = 16,
        chains: int = 8,
        prompt: Callable[[str], Messages | str] = solver_messages,
        max_new_tokens: int = 256,
        temperature: float = 1.0,
        batch_size: int = 64,
        trained: Pairs = (),
        heldout: Pairs = (),
        folder: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        if not anchors:
            raise ValueError("anchors must hold at least one problem with its answer, got none")
        for name, value, least in (
            ("items", items, 1),
            ("chains", chains, 1),
            ("max_new_tokens", max_new_tokens, 1),
            ("batch_size", batch_size, 1),
            ("seed", seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.rule = rules.make(rule, evidence="anchors", alpha=alpha, **(options or {}))
        self.anchors = _read(anchors)
        self.items, self.chains, self.prompt = items, chains, prompt
        self.max_new_tokens, self.temperature = max_new_tokens, temperature
        self.batch_size, self.trained, self.heldout = batch_size, trained, heldout
        self.folder = None if folder is None else Path(folder)
        self.seed = seed
        self.verdicts: list[Verdict] = []
        self.history: list[RoundRecord] = []

    # What the trainer calls

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the first weights, or go on where the checkpoint was."""
        model = kwargs["model"]
        check(args, model, kwargs["processing_class"])
        self._before = trainable(model)
        folder = Path(args.output_dir) / "gate" if self.folder is None else self.folder
        self._main = PartialState().is_main_process
        self._ledger = Ledger()
        self._written, self._decided = 0, state.global_step
        self._last: dict[str, Answered] = {}
        self.verdicts, self.history = [], []
        by_step = args.save_strategy == "steps"
        rounds = state.max_steps / state.save_steps if by_step else state.num_train_epochs
        self.rule.start(max(math.ceil(rounds), 1))
        saved = state.stateful_callbacks.get(KEY) if state.global_step else None
        if saved is None:
            self._keeper = Keeper(folder)
            self._certify(model, state)
            if self._main:
                self._keeper.clear()
        else:
            self._keeper = Keeper(folder, saved.get("kept", ()), saved["certified"])
            self.rule.load_state(saved["rule"])
            self.history = [decode(RoundRecord, record) for record in saved["history"]]
            self._name = saved["certified"]
            self._certified = self._keeper.load(self._name, self._before)
        event = "run.resumed" if saved else "run.started"
        self._note(state, len(self.history), event, {"rule": self.rule.name})

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Decide where a checkpoint is due; refuse weights that are not finite at once."""
        if not finite(kwargs["model"]):
            self._apply(
                Verdict(
                    decision="REFUSE",
                    rule="finite",
                    round=len(self.history),
                    severity=1.0,
                    reason="a weight was not a finite number",
                ),
                state,
                **kwargs,
            )
        elif control.should_save:
            self._close(state, **kwargs)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Decide where a checkpoint is due."""
        if control.should_save:
            self._close(state, **kwargs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Decide on what was trained since the last save step."""
        self._close(state, **kwargs)

    # A round

    def _close(self, state: Any, **kwargs: Any) -> None:
        """Retest, ask the rule, and do what it says."""
        if state.global_step == self._decided:
            return
        shared: list[Any] = [None]
        if self._main:
            shared[0] = self._decide(kwargs["model"], kwargs["processing_class"])
        if PartialState().num_processes > 1:
            broadcast_object_list(shared)
        record: RoundRecord = shared[0]
        self.history.append(record)
        assert record.verdict is not None
        self._apply(record.verdict, state, **kwargs)

    def _decide(self, model: Any, tokenizer: Any) -> RoundRecord:
        """Return the round's record with the rule's verdict; the weights stay as they are."""
        index = len(self.history)
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, index)))
        after = trainable(model)
        pool = [Item(problem, answer, cluster, True) for problem, answer, cluster in self.anchors]
        chosen = [pool[i] for i in rng.permutation(len(pool))[: self.items]]
        block = RetestBlock(chosen, self.chains, self._last)
        spent = [0, 0]
        measured: dict[Side, tuple[float, float]] = {}

        def answer(side: Side, weights: Weights) -> None:
            blend(model, weights)
            if side not in measured:
                measured[side] = tuple(  # type: ignore[assignment]
                    likelihood(model, tokenizer, pairs) for pairs in (self.trained, self.heldout)
                )
            self._answer(model, tokenizer, block, side, int(rng.integers(2**62)), spent)

        try:
            while True:
                answer("after", after)
                answer("before", self._before)
                retests = block.compared()
                report = LearnReport(
                    train=(measured["before"][0], measured["after"][0]),
                    heldout=(measured["before"][1], measured["after"][1]),
                )
                asked = {item.problem for item in block.items}
                fresh = [item for item in pool if item.problem not in asked]
                gauges = measure((), retests, report, 0, 0)
                verdict = self.rule.decide(
                    Evidence(
                        round=index,
                        retests=retests,
                        gauges=gauges,
                        history=tuple(self.history),
                        fresh=tuple(item.problem for item in fresh),
                        answers=spent[0],
                        tokens=spent[1],
                    )
                )
                if isinstance(verdict, Verdict):
                    break
                block.extend(draw_more(rng, fresh, verdict))
        finally:
            blend(model, after)
        refused = verdict.decision == "REFUSE"
        self._last = {} if refused else block.answers("after")
        return RoundRecord(
            round=index,
            problems=(),
            retests=retests,
            report=report,
            trained=0,
            replayed=0,
            heldout=0,
            mean_reward=math.nan,
            skill=math.nan,
            gauges=gauges,
            map={},
            request=(float(self.chains), self.temperature),
            answers={"solve": 0, "retest": spent[0]},
            tokens={"solve": 0, "retest": spent[1]},
            verdict=verdict,
        )

    def _answer(
        self,
        model: Any,
        tokenizer: Any,
        block: RetestBlock,
        side: Side,
        seed: int,
        spent: list[int],
    ) -> None:
        """Have one side answer what it has not answered yet."""
        todo = block.open(side)
        found = sample(
            model,
            tokenizer,
            [self.prompt(item.problem) for item in todo],
            self.chains,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            batch_size=self.batch_size,
            seed=seed,
        )
        for item, texts in zip(todo, found, strict=True):
            scored = consensus.score([text for text, _ in texts], seed=seed)
            right = sum(answers.right(chain, item.answer) for chain in scored.chains)
            block.answer(side, item, Answered(right, scored.outcome))
            spent[0] += len(texts)
            spent[1] += sum(tokens for _, tokens in texts)

    def _apply(self, verdict: Verdict, state: Any, **kwargs: Any) -> None:
        """Roll back or certify, then write down what was decided and done."""
        model, self._decided = kwargs["model"], state.global_step
        if verdict.decision == "REFUSE":
            target = self._before if verdict.target == "before" else self._certified
            blend(model, target, verdict.severity)
            kwargs["optimizer"].state.clear()
            self._last = {}
            LOG.warning("step %d refused: %s", state.global_step, verdict.reason)
        elif verdict.decision == "COMMIT_CERTIFIED":
            self._certify(model, state)
        self._before = trainable(model)
        self.verdicts.append(verdict)
        numbers = {n: float(v) for n, v in verdict.statistics.items() if math.isfinite(v)}
        state.log_history.append(
            {
                "step": state.global_step,
                "epoch": state.epoch,
                "gate/decision": verdict.decision,
                "gate/refused": float(verdict.decision == "REFUSE"),
                "gate/answers": verdict.answers,
                **{f"gate/{name}": value for name, value in numbers.items()},
            }
        )
        self._note(
            state, verdict.round, f"verdict.{verdict.rule}", encode(verdict), verdict.decision
        )

    def _certify(self, model: Any, state: Any) -> None:
        self._certified = trainable(model)
        self._name = self._keeper.name(state.global_step)
        if self._main:
            self._keeper.save(self._name, model, self._certified)

    def _note(
        self, state: Any, round_: int, event: str, because: Any, action: str = "none"
    ) -> None:
        """Append to the ledger, and leave what a resumed run needs in the trainer's state."""
        state.stateful_callbacks[KEY] = {
            "rule": self.rule.state(),
            "history": encode(self.history),
            "certified": self._name,
            "kept": list(self._keeper.kept),
        }
        step = {"step": state.global_step}
        self._ledger.add(round_, event, {**step, **because}, action)
        if self._main:
            self._keeper.append(self._ledger.lines(self._written))
        self._written = len(self._ledger)


def _read(anchors: Sequence[tuple[str, Any]]) -> list[tuple[str, Value, int]]:
    """Return problems, answers and clusters, each problem once."""
    known: dict[str, Value] = {}
    for problem, given in anchors:
        answer = known_answer(given)
        if not isinstance(problem, str) or not problem.strip() or answer is None:
            raise ValueError(
                f"an anchor must be a problem with its answer, got {problem!r}, {given!r}"
            )
        known[problem] = answer
    clusters = CapabilityMap()
    for problem in known:
        clusters.assign(hashed_words(problem, 128))
    return [(p, a, clusters.locate(hashed_words(p, 128))) for p, a in known.items()]
