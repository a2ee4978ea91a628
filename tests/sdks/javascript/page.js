// A page that reports by Sentry's SDK; its address says where to.
import * as Sentry from "@sentry/browser";

Sentry.init({
  dsn: new URLSearchParams(location.search).get("dsn"),
  release: "shop-web@2.0.1",
  environment: "staging",
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
document.getElementById("pay").addEventListener("click", () => pay(17)); // nobody catches it
document.getElementById("say").addEventListener("click", () => {
  Sentry.captureMessage("the cache is cold", "warning");
});
document.getElementById("promise").addEventListener("click", () => {
  Promise.reject(new RangeError("no address"));
});
window.flushed = () => Sentry.flush(20000);
