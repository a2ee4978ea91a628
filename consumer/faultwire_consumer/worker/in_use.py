"""The policy in use in a worker, and the parts that live by it: all of them change at once."""

from collections.abc import Mapping

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.dispatching import Dispatching
from faultwire_consumer.notify.own_watch import OwnWatch
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.traced import TracedAttempts
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.tracing import Spans
from faultwire_consumer.worker.reload import status_of
from faultwire_shared.clock import Clock


class PolicyInUse:
    """The policy in use, and the parts that live by it: each can be given another one."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        senders: Mapping[str, Sender],
        config: WorkerConfig,
        metrics: Metrics,
        *,
        clock: Clock,
        spans: Spans | None = None,
    ) -> None:
        def dispatcher(senders: Mapping[str, Sender]) -> Dispatcher:
            return Dispatcher(
                store,
                senders,
                metrics=metrics,
                clock=clock,
                digests=self.policy.digests,
                inhibitions=self.policy.inhibitions,
                quiet=self.policy.quiet,
                public_url=config.public_url,
                watch=self.watch,
                traced=None if spans is None else TracedAttempts(spans, store),
            )

        self.watch = OwnWatch()
        self.policy = policy
        self.status = status_of(config, clock)
        self.dispatching = Dispatching(senders, dispatcher)
        self.evaluator = Evaluator(policy, wake=self.dispatching.wake)
        self.digest_maker = DigestMaker(store, policy, clock=clock, wake=self.dispatching.wake)

    def use(self, policy: Policy, senders: Mapping[str, Sender]) -> None:
        """Put another policy in the place of this one, everywhere at once."""
        self.policy = policy
        self.evaluator.use(policy)
        self.digest_maker.use(policy)
        self.dispatching.use(senders)
