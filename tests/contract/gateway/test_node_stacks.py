"""The stacks that Node makes itself, read as it made them."""

import subprocess
import sys
from pathlib import Path

import pytest

from faultwire_consumer.gateway.stack_text import read_stack
from faultwire_shared.event import ExceptionInfo

NODE = Path(sys.executable).with_name("node")
NODE_SCRIPT = """
const util = require('util');
class PaymentError extends Error { constructor(...given) { super(...given); this.name = 'PaymentError'; } }
function charge() { throw new TypeError('refused'); }
function pay() {
  try { charge(); } catch (error) { throw new PaymentError('order 17\\nof c-9', { cause: error }); }
}
class Cart { constructor() { pay(); } }
async function checkout() { await 1; [1].map(() => new Cart()); }
const show = (text) => console.log(text + '\\n=====');
checkout().catch((error) => {
  show(error.stack);
  show(util.inspect(error));
  const all = new AggregateError([error, new RangeError('second')], 'both');
  all.code = 'E_BOTH';
  show(util.inspect(all));
  eval('try { null.x } catch (inner) { show(inner.stack) }');
});
"""


@pytest.fixture(scope="module")
def node_stacks() -> list[list[ExceptionInfo]]:
    done = subprocess.run([str(NODE), "-e", NODE_SCRIPT], capture_output=True, text=True, check=True)
    return [read_stack(part.strip("\n"), language="nodejs") for part in done.stdout.split("=====\n") if part]


def test_a_stack_that_node_makes_has_its_calls_from_the_outermost(
    node_stacks: list[list[ExceptionInfo]],
) -> None:
    (plain,) = node_stacks[0]

    assert plain.value == "order 17\nof c-9"
    own = [frame.qualname for frame in plain.frames if frame.in_app]
    assert own == ["checkout", "", "Cart", "pay"]
    assert [frame.qualname for frame in plain.frames if not frame.in_app] == ["Array.map"]


def test_a_cause_that_node_inspects_follows_its_error(node_stacks: list[list[ExceptionInfo]]) -> None:
    raised, cause = node_stacks[1]

    assert (raised.type, raised.value) == ("PaymentError", "order 17\nof c-9")
    assert (cause.type, cause.value, cause.frames[-1].qualname) == ("TypeError", "refused", "charge")
    assert [frame.qualname for frame in raised.frames] == [frame.qualname for frame in cause.frames[:-1]]


def test_what_an_aggregate_holds_are_its_members(node_stacks: list[list[ExceptionInfo]]) -> None:
    (both,) = node_stacks[2]

    assert (both.type, both.value) == ("AggregateError", "both")
    assert [[one.type for one in member] for member in both.members] == [
        ["PaymentError", "TypeError"],
        ["RangeError"],
    ]


def test_what_is_evaluated_stands_where_eval_was_called(node_stacks: list[list[ExceptionInfo]]) -> None:
    (evaluated,) = node_stacks[3]

    assert evaluated.value.startswith("Cannot read properties of null")
    assert evaluated.frames[-1].file == "[eval]"
    assert evaluated.frames[-1].line > 0
