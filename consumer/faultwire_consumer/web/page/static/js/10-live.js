// What changed while a page is read is told in a bar, and shown when somebody asks for it: nothing moves before.
{
  const TELL_EVERY = 2000; // milliseconds; a flood is told as one number
  const NAMED_MAX = 500; // incidents that are remembered by name
  const LOST_AFTER = 6000; // a stream that ends by itself is back within two seconds
  const WAIT_FIRST = 5000, WAIT_MOST = 60000;
  const ACTOR_MAX = 60;
  const BY_SOMEBODY = {
    acknowledged: "acknowledged it", resolved: "resolved it", reopened: "reopened it", muted: "muted it", unmuted: "unmuted it",
    assigned: "assigned it", unassigned: "assigned it to nobody", commented: "commented on it", merged: "merged others into it",
    merged_into: "merged it into another one", unmerged: "parted what was merged",
  };
  const BY_ITSELF = {
    opened: "it was opened", regressed: "it came back", severity_rose: "its severity rose", acknowledge_ended: "its acknowledgement ended",
    auto_resolved: "it was resolved, as it was quiet", mute_ended: "its mute ended",
  };
  const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/gu;

  // An answer of the API, as text that steers nobody's eye.
  const shown = text => {
    const clean = String(text).replace(UNSEEN, "");
    return clean.length > ACTOR_MAX ? `${clean.slice(0, ACTOR_MAX)}…` : clean;
  };
  const sentenceOf = change => BY_ITSELF[change.kind] ?? `${shown(change.actor)} ${BY_SOMEBODY[change.kind] ?? "changed it"}`;
  const ageOf = at => {
    const seconds = Math.max(0, Math.round((Date.now() - new Date(at)) / 1000));
    const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size) ?? [1, "s"];
    return `${Math.floor(seconds / size)} ${unit} ago`;
  };

  class Follower {
    constructor(scope) {
      this.scope = scope; // "list", or the one incident that the page shows
      this.last = root.dataset.lastChange ?? "";
      this.wait = WAIT_FIRST;
      this.isLost = false;
      this.forget();
      for (const name of ["visibilitychange", "pageshow"]) addEventListener(name, () => this.see(), true);
      addEventListener("online", () => { this.close(); this.see(); });
      addEventListener("pagehide", () => this.close());
      setInterval(() => this.age(), 10000);
      this.see();
    }

    forget() {
      this.changes = new Map(); // by incident, the newest
      this.count = 0;
      this.isMany = this.isFailed = false;
    }

    // A tab that nobody sees holds no connection, of which a browser has six for a host; it catches up later.
    see() {
      if (document.hidden) this.close();
      else if (!this.source) this.open();
    }

    open() {
      clearTimeout(this.again);
      const since = this.last ? `?last_event_id=${encodeURIComponent(this.last)}` : "";
      this.source = new EventSource(`${base}api/v1/changes${since}`);
      this.source.addEventListener("open", () => this.connected());
      this.source.addEventListener("change", event => this.note(event));
      this.source.addEventListener("reset", () => { this.isMany = true; this.tell(); });
      this.source.addEventListener("error", () => this.failed());
    }

    close() {
      clearTimeout(this.again);
      clearTimeout(this.doubt);
      this.doubt = null;
      this.source?.close();
      this.source = null;
    }

    connected() {
      clearTimeout(this.doubt);
      this.doubt = null;
      this.wait = WAIT_FIRST;
      if (!this.isLost) return;
      this.isLost = false;
      this.tell();
      announce("Connected again");
    }

    // A browser takes up what broke off, but for what was refused: then it is asked again, less and less often.
    failed() {
      this.doubt ??= setTimeout(() => { this.isLost = true; this.tell(); }, LOST_AFTER);
      if (this.source?.readyState !== EventSource.CLOSED) return;
      this.source = null;
      clearTimeout(this.again);
      this.again = setTimeout(() => this.see(), this.wait * (.75 + Math.random() / 2));
      this.wait = Math.min(WAIT_MOST, this.wait * 2);
    }

    note(event) {
      const change = JSON.parse(event.data);
      this.last = event.lastEventId;
      if (this.scope !== "list" && this.scope !== change.incident_id) return;
      this.count += 1;
      if (this.changes.has(change.incident_id) || this.changes.size < NAMED_MAX) this.changes.set(change.incident_id, change);
      else this.isMany = true;
      this.timer ??= setTimeout(() => { this.timer = null; this.tell(); }, this.told ? TELL_EVERY : 0);
    }

    tell() {
      const place = document.getElementById("live");
      if (!place) return;
      const said = this.said();
      this.told = said !== "";
      place.replaceChildren(...(said ? [this.bar(said)] : []));
      this.age();
    }

    said() {
      const parts = [];
      if (this.isLost) parts.push("No connection to the worker. Trying again.");
      if (this.isFailed) parts.push("What changed cannot be shown now.");
      if (this.isMany) parts.push("Much changed while you read.");
      else if (this.scope !== "list" && this.count) parts.push(this.saidOfOne());
      else if (this.count) parts.push(`${this.changes.size} incident${this.changes.size === 1 ? "" : "s"} changed while you read.`);
      return parts.join(" ");
    }

    saidOfOne() {
      const more = this.count > 1 ? `, and ${this.count - 1} more change${this.count === 2 ? "" : "s"}` : "";
      return `${sentenceOf(this.changes.get(this.scope))}${more}`;
    }

    bar(said) {
      const bar = document.createElement("div");
      bar.className = this.isLost || this.isFailed ? "live lost" : "live";
      const text = document.createElement("p");
      text.setAttribute("role", "status");
      text.textContent = said;
      const age = document.createElement("span");
      age.className = "age";
      age.setAttribute("aria-hidden", "true"); // it counts on, which nobody wants to hear
      bar.append(text, age);
      if (this.count || this.isMany) bar.append(this.button());
      return bar;
    }

    button() {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small main";
      button.dataset.key = "u";
      const isOne = this.scope !== "list" || (this.changes.size === 1 && !this.isMany);
      button.textContent = isOne ? "Show it" : "Show them";
      button.addEventListener("click", () => { button.disabled = true; this.show(); });
      return button;
    }

    age() {
      const age = document.querySelector("#live .age");
      const change = this.changes.get(this.scope);
      if (age) age.textContent = change && !this.isMany ? ageOf(change.at) : "";
    }

    // The same page anew, laid over what stands here: what is chosen, typed, opened and focused stays.
    async show() {
      const { changes, count, isMany } = this;
      this.forget(); // what comes from now on may be in the answer or not, and is told again
      const fresh = await fetchPage();
      if (fresh === null) {
        this.changes = new Map([...changes, ...this.changes]);
        this.count += count;
        this.isMany ||= isMany;
        this.isFailed = true;
        return this.tell();
      }
      const parts = this.scope === "list" ? LIVE_PARTS : ["content"];
      if (parts.some(name => Boolean(document.getElementById(name)) !== Boolean(fresh.page.getElementById(name)))) return location.reload();
      this.tell();
      for (const name of parts) await layOver(name, fresh);
      document.dispatchEvent(new CustomEvent("faultwire:shown"));
      this.point([...changes.keys()]);
    }

    point(changed) {
      const rows = changed.map(name => document.getElementById(name)).filter(Boolean);
      for (const row of rows) row.dataset.fresh = "";
      if (document.activeElement && document.activeElement !== document.body) return;
      const place = rows[0]?.querySelector("a") ?? document.getElementById("content");
      place?.focus({ preventScroll: true });
    }
  }

  const LIVE_PARTS = ["tiles", "views", "facets", "list"];

  async function fetchPage() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const text = await answer.text();
      const document_ = new DOMParser().parseFromString(text, "text/html");
      return answer.ok && document_.getElementById("live") ? { text, page: document_ } : null;
    } catch {
      return null;
    }
  }

  async function layOver(name, fresh) {
    const target = document.getElementById(name);
    if (!target) return;
    await htmx.swap({ text: fresh.text, target, select: `#${name}`, swap: "outerMorph ignoreTitle:true", sourceElement: target });
  }

  addEventListener("DOMContentLoaded", () => {
    const place = document.querySelector("[data-changes]");
    if (place) new Follower(place.dataset.scope);
  });
}
