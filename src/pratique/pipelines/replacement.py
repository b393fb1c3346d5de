"""Carries a plan of replacement out, undoes it, and goes on with one that was interrupted.

A plan is saved after every change of state, and what a step has reached is read from the engine, so that the process
may end at any point. Containers of one service are replaced together, but for each new image one goes first, alone.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pratique.errors import PolicyError, PratiqueError, ReplaceError, UsageError
from pratique.model import Decision, Plan, PlanState, Step, StepState, SwapMode, Verdict
from pratique.pipelines.change_policy import only_writer
from pratique.pipelines.presence import APPLIED_STATE
from pratique.pipelines.replace import replace_file
from pratique.pipelines.resumption import Resumption
from pratique.policy import add_id, remove_id
from pratique.policy.document import read_text
from pratique.responders import Patience, ServiceSwap, Swap
from pratique.runtime import Engine
from pratique.store import Store

_AT_ONCE: Final = 10
_POLICY_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.1
_FINAL: Final = frozenset({PlanState.DONE, PlanState.UNDONE})

AnySwap = Swap | ServiceSwap


class Terms(Struct, frozen=True):
    """How a plan is carried out."""

    policy_path: Path
    source: str
    """Who asked, for the decision log."""
    agent_runs: bool
    """Whether an agent counts flows and puts the policy into force."""
    patience: Patience = Patience()
    resume_s: float = 60.0
    """How long a successor's flows may take to resume; 0: they are not waited for."""


class Replacement:
    """One plan under way.

    :param say: is told each step, for a person
    """

    def __init__(self, engine: Engine, store: Store, plan: Plan, terms: Terms, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._store = store
        self._terms = terms
        self._say = say
        self._joining = asyncio.Lock()
        self.plan = plan

    async def carry_out(self) -> None:
        """Take every step that is not done yet, then remove the old containers.

        :raises ReplaceError: when a step failed; it was rolled back, and the steps after it were not begun
        """
        if self.plan.state in _FINAL:
            msg = f"plan {self.plan.id} is {self.plan.state} already"
            raise UsageError(msg, hint="make a new plan")
        self._log("replace.begun", f"plan {self.plan.id}", f"{len(self.plan.steps)} steps for {self.plan.question}")
        self._save(PlanState.RUNNING)
        await self._change_policy(self._allow, "the new images are listed beside the old ones")
        for batch in batches(self.plan.steps):
            try:
                await self._take(batch)
            except PratiqueError as error:
                await self._give_up(batch, error)
                raise
        for step in self.plan.steps:
            await self._swap(step).discard()
        self._save(PlanState.DONE)
        self._log("replace.done", f"plan {self.plan.id}", f"{len(self.plan.steps)} replaced")

    async def undo(self) -> None:
        """Put every old container back, the last replaced first.

        :raises UsageError: when the old containers are gone already
        """
        if self.plan.state in _FINAL:
            msg = f"plan {self.plan.id} is {self.plan.state}: there is nothing left to put back"
            raise UsageError(msg, hint="replace the other way round: pratique replace --image NEW --with OLD")
        self._log("replace.undo", f"plan {self.plan.id}", f"asked for while it was {self.plan.state}")
        self._save(PlanState.RUNNING)
        for batch in reversed(batches(self.plan.steps, unfinished=False)):
            swaps = [self._swap(step) for step in batch]
            begun = [swap for swap in swaps if swap.step.state is StepState.DONE or await swap.successor() is not None]
            await _all(swap.roll_back() for swap in begun)
            for swap in begun:
                self._mark(swap.step, StepState.UNDONE)
                self._log_step(swap.step, "replace.step-undone", "the old container is back", Verdict.ALLOW)
                self._say(f"{swap.step.name}: the old container is back")
        await self._take_back_policy()
        self._save(PlanState.UNDONE)

    async def _take(self, batch: Sequence[Step]) -> None:
        swaps = [self._swap(step) for step in batch]
        resumption = Resumption(self._store, batch, self.plan.steps, time.time())
        names = ", ".join(step.name for step in batch)
        self._say(f"{batch[0].service}: replacing {names} ({batch[0].mode})")
        await _all(swap.prepare() for swap in swaps)
        await _all(swap.take_over() for swap in swaps)
        await _all(swap.retire() for swap in swaps)
        resumed = await self._resume(resumption, swaps)
        await _all(swap.finish() for swap in swaps)
        for step in batch:
            self._mark(step, StepState.DONE, note=resumed)
            self._log_step(step, "replace.step-done", f"runs {step.reference}; {resumed}", Verdict.ALLOW)
        self._say(f"{batch[0].service}: {names}: done; {resumed}")

    async def _resume(self, resumption: Resumption, swaps: Sequence[AnySwap]) -> str:
        """Wait until the flows of a batch have resumed, and return that in words."""
        if not self._terms.agent_runs:
            return "no agent runs, so flows were not looked at"
        if not self._terms.resume_s:
            return "flows were not waited for"
        successors = {swap.step.container: new["Id"] for swap in swaps if (new := await swap.successor()) is not None}
        count = await resumption.wait(successors, self._terms.resume_s)
        return f"{count} flows resumed" if count else "no flows in the last minute, so none to wait for"

    async def _give_up(self, batch: Sequence[Step], error: PratiqueError) -> None:
        """Roll a batch back and stop the plan."""
        self._say(f"{batch[0].service}: {error.what}; rolling back")
        failed = []
        for swap in [self._swap(step) for step in batch]:
            try:
                await swap.roll_back()
            except PratiqueError as further:
                failed.append(f"{swap.step.name}: {further.what}")
            self._mark(swap.step, StepState.FAILED, note=error.what)
            self._log_step(swap.step, "replace.step-rolled-back", error.what, Verdict.DENY)
        if not any(step.state is StepState.DONE for step in self.plan.steps):
            with suppress(PolicyError):
                await self._take_back_policy()
        self._save(PlanState.FAILED, note="; ".join([error.what, *failed]))
        self._say("; ".join(failed) or f"{batch[0].service}: the old containers go on")

    def _swap(self, step: Step) -> AnySwap:
        if step.mode is SwapMode.SERVICE:
            return ServiceSwap(self._engine, step, self._terms.patience.health_s)
        return Swap(self._engine, self.plan.id, step, self._terms.patience, self._joining, self._say)

    def _allow(self, text: bytes) -> bytes:
        for old, new in self.plan.allowed:
            text = add_id(text, old, new)
        return text

    def _disallow(self, text: bytes) -> bytes:
        for _, new in self.plan.allowed:
            text = remove_id(text, new)
        return text

    async def _take_back_policy(self) -> None:
        await self._change_policy(self._disallow, "the new images are no longer listed")

    async def _change_policy(self, change: Callable[[bytes], bytes], what: str) -> None:
        """Write the policy file anew, and wait until the agent has put it into force."""
        path = self._terms.policy_path
        if not path.exists():
            return
        with only_writer(path.parent):
            before = read_text(path)
            after = change(before)
            if after == before:
                return
            replace_file(path, after)
        self._log("replace.policy", f"plan {self.plan.id}: policy apply", what)
        digest = hashlib.sha256(after).hexdigest()
        deadline = time.monotonic() + _POLICY_WITHIN_S
        while self._terms.agent_runs and await asyncio.to_thread(self._store.state, APPLIED_STATE) != digest:
            if time.monotonic() > deadline:
                msg = f"the agent did not put the policy {path} into force within {_POLICY_WITHIN_S:.0f} s"
                raise ReplaceError(msg, hint="look at what the agent says")
            await asyncio.sleep(_POLL_S)

    def _mark(self, step: Step, state: StepState, note: str = "") -> None:
        steps = (
            msgspec.structs.replace(one, state=state, note=note) if one.number == step.number else one
            for one in self.plan.steps
        )
        self.plan = msgspec.structs.replace(self.plan, steps=tuple(steps))
        self._store.plans.put(self.plan)

    def _save(self, state: PlanState, note: str = "") -> None:
        steps = self.plan.steps
        if state in _FINAL:  # what nobody needs any more, among it the values of environments, is not kept
            steps = tuple(msgspec.structs.replace(step, inspected={}) for step in steps)
        self.plan = msgspec.structs.replace(self.plan, state=state, note=note, steps=steps)
        self._store.plans.put(self.plan)

    def _log_step(self, step: Step, rule: str, reason: str, verdict: Verdict) -> None:
        decision = Decision(
            at=time.time(),
            verdict=verdict,
            rule=rule,
            subject=f"plan {self.plan.id} step {step.number}: {step.name}",
            reason=reason,
            source=self._terms.source,
            image=step.new_image,
            container=step.container,
        )
        self._store.append_decisions([decision])

    def _log(self, rule: str, subject: str, reason: str) -> None:
        decision = Decision(
            at=time.time(),
            verdict=Verdict.ALLOW,
            rule=rule,
            subject=subject,
            reason=reason,
            source=self._terms.source,
        )
        self._store.append_decisions([decision])


def batches(steps: Sequence[Step], *, unfinished: bool = True) -> list[list[Step]]:
    """Return the steps that are taken together, in order.

    :param unfinished: only those that are not done yet
    """
    found: list[list[Step]] = []
    proved: set[str] = {step.new_image for step in steps if step.state is StepState.DONE} if unfinished else set()
    for step in steps:
        if unfinished and step.state is StepState.DONE:
            continue
        last = found[-1] if found else []
        together = (
            last
            and last[0].service == step.service
            and last[0].new_image == step.new_image
            and {last[0].mode, step.mode} == {SwapMode.BESIDE}
            and len(last) < _AT_ONCE
            and step.new_image in proved
        )
        if together:
            last.append(step)
        else:
            found.append([step])
            proved.update(one.new_image for one in last)
    return found


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Wait until everything has ended, one way or the other, then raise the first error."""
    ended = await asyncio.gather(*work, return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error
