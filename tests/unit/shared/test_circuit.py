"""A circuit against what its words say, through any order of calls, outcomes and times."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from faultwire_shared.resilience.circuit import Circuit, CircuitState, Outcome, Permit, Refusal

RESET_SECONDS = 10


@dataclass(eq=False)
class Call:
    """One that was let through: the spell of the circuit that it began in, and when."""

    permit: Permit
    spell: int
    began_at: int


class CircuitMachine(RuleBasedStateMachine):
    """Calls overlap as they like; the expectations know spells of a state, not generations."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000
        self.calls: list[Call] = []
        self.state = CircuitState.CLOSED
        self.spell = 0
        self.opened_at = 0
        self.failures = 0
        self.passed = 0
        self.trial: Call | None = None
        self.refused = 0

    @initialize(threshold=st.integers(1, 4), trials=st.integers(1, 3))
    def begin(self, threshold: int, trials: int) -> None:
        self.threshold, self.trials = threshold, trials
        self.circuit = Circuit(failure_threshold=threshold, reset_timeout=RESET_SECONDS, trials=trials)

    @rule(seconds=st.integers(0, 12))
    def let_time_pass(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def call(self) -> None:
        answer = self.circuit.admit(self.now)
        left = self.opened_at + RESET_SECONDS - self.now
        if self.state is CircuitState.OPEN and left > 0:
            assert answer == Refusal(left)
            self.refused += 1
            return
        if self.state is CircuitState.OPEN:
            self._turn(CircuitState.HALF_OPEN)
        if self.state is CircuitState.HALF_OPEN and self._trial_is_under_way():
            assert answer == Refusal(0)
            self.refused += 1
            return
        assert isinstance(answer, Permit)
        self.calls.append(Call(answer, self.spell, self.now))
        if self.state is CircuitState.HALF_OPEN:
            self.trial = self.calls[-1]

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        call = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self.circuit.settle(call.permit, outcome, self.now)
        if self.state is CircuitState.CLOSED and call.spell == self.spell:
            self._expect_in_closed(outcome)
        elif call is self.trial:
            self.trial = None
            self._expect_of_trial(outcome)

    def _expect_in_closed(self, outcome: Outcome) -> None:
        if outcome is Outcome.SUCCEEDED:
            self.failures = 0
        elif outcome is Outcome.FAILED:
            self.failures += 1
            if self.failures == self.threshold:
                self._turn(CircuitState.OPEN)

    def _expect_of_trial(self, outcome: Outcome) -> None:
        if outcome is Outcome.FAILED:
            self._turn(CircuitState.OPEN)
        elif outcome is Outcome.SUCCEEDED:
            self.passed += 1
            if self.passed == self.trials:
                self._turn(CircuitState.CLOSED)

    def _turn(self, state: CircuitState) -> None:
        self.state = state
        self.spell += 1
        self.passed = 0
        self.failures = 0 if state is CircuitState.CLOSED else self.failures
        self.trial = None
        self.opened_at = self.now if state is CircuitState.OPEN else self.opened_at

    def _trial_is_under_way(self) -> bool:
        return self.trial is not None and self.now - self.trial.began_at < RESET_SECONDS

    @invariant()
    def it_is_in_the_state_that_its_words_promise(self) -> None:
        if hasattr(self, "circuit"):
            assert self.circuit.state is self.state
            assert self.circuit.counts().refused == self.refused


TestCircuit = CircuitMachine.TestCase
TestCircuit.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def _open() -> Circuit:
    circuit = Circuit(failure_threshold=1, reset_timeout=10, trials=1)
    permit = circuit.admit(0)
    assert isinstance(permit, Permit)
    circuit.settle(permit, Outcome.FAILED, 0)
    return circuit


def test_a_call_that_began_before_the_circuit_opened_does_not_close_it() -> None:
    circuit = Circuit(failure_threshold=1, reset_timeout=10, trials=1)
    slow, fast = circuit.admit(0), circuit.admit(0)
    assert isinstance(slow, Permit)
    assert isinstance(fast, Permit)
    circuit.settle(fast, Outcome.FAILED, 1)
    circuit.settle(slow, Outcome.SUCCEEDED, 2)
    assert circuit.state is CircuitState.OPEN


def test_a_trial_that_never_ends_gives_way_to_another_after_as_long_as_the_circuit_was_open() -> None:
    circuit = _open()
    hung = circuit.admit(10)
    assert isinstance(hung, Permit)
    assert circuit.admit(19.9) == Refusal(0)
    second = circuit.admit(20)
    assert isinstance(second, Permit)
    circuit.settle(hung, Outcome.FAILED, 21)
    assert circuit.state is CircuitState.HALF_OPEN
    circuit.settle(second, Outcome.SUCCEEDED, 22)
    assert circuit.state.value == "closed"
    assert (circuit.counts().successes, circuit.counts().failures, circuit.counts().opened) == (1, 2, 1)
