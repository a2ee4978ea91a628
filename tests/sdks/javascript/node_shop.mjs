// A shop in Node that reports by Sentry's SDK: what it catches, what it says, and what ends it.
import * as Sentry from "@sentry/node";

Sentry.init({
  dsn: process.env.SENTRY_DSN,
  release: "shop-node@2.0.1",
  environment: "staging",
  tracesSampleRate: 1,
});

class PaymentError extends Error {
  name = "PaymentError";
}

function charge(order) {
  throw new TypeError(`cannot charge order ${order}`);
}

function pay(order) {
  try {
    charge(order);
  } catch (cause) {
    throw new PaymentError(`gateway refused order ${order}`, { cause });
  }
}

Sentry.setUser({ id: "42", username: "ada" });
Sentry.setTag("region", "eu-central-1");
Sentry.addBreadcrumb({ category: "cart", message: "added three apples" });
for (const order of [17, 18, 19]) {
  Sentry.startSpan({ name: "pay", op: "task" }, () => {
    try {
      pay(order);
    } catch (error) {
      Sentry.captureException(error);
    }
  });
}
Sentry.captureMessage("the cache is cold", "warning");
Sentry.captureMessage("the cache is cold", "warning");
Sentry.captureException("a bare string");
await Sentry.flush(20000);

// Again, after the answers were read: what they asked for is not sent now.
Sentry.startSpan({ name: "send", op: "task" }, () => {
  Sentry.captureException(new RangeError("no address"));
});
await Sentry.flush(20000);

function takeFromStock(item) {
  throw new Error(`no ${item} left`);
}
setTimeout(() => takeFromStock("pears"), 10); // nobody catches it
