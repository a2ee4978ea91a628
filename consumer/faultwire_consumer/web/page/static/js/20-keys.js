// Single keys: what a key presses says data-key in the page; the page /keys lists them.
{
  const ROWS = "[data-incident], [data-row]";
  const ON_ROW = new Set(["a", "r", "i", "m", "c"]); // on what is chosen, or on the row that has the focus
  const SEQUENCE_WAIT = 1500;
  const PLACE = "faultwire.row";
  let begun = "", waiting = null, current = null;

  const isOff = () => root.dataset.keys === "off";
  const isSeen = element => element.checkVisibility?.({ visibilityProperty: true }) ?? element.offsetParent !== null;
  const rowsOf = () => [...document.querySelectorAll(ROWS)].filter(isSeen);
  const boxOf = row => row?.querySelector("input[type=checkbox]");

  function isTyping(element) {
    if (!(element instanceof HTMLElement)) return false;
    if (element.isContentEditable) return true;
    if (element.matches("textarea, select")) return true;
    return element.matches("input") && !["checkbox", "radio", "button", "submit"].includes(element.type);
  }

  function rowHere() {
    const focused = document.activeElement?.closest?.(ROWS);
    if (focused) current = focused;
    return current?.isConnected ? current : null;
  }

  function move(step) {
    const rows = rowsOf();
    if (!rows.length) return press(step > 0 ? "j" : "k");
    const at = rows.indexOf(rowHere());
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? placeKept(rows, step) : at + step))];
    current = next;
    (next.querySelector("a") ?? next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  function choose() {
    const box = boxOf(rowHere());
    box?.click();
    return Boolean(box);
  }

  function open() {
    const link = rowHere()?.querySelector("a");
    link?.click();
    return Boolean(link);
  }

  function search() {
    const box = document.querySelector("[data-key='/']") ?? document.querySelector("main input[type=search]");
    box?.focus();
    box?.select();
    return Boolean(box);
  }

  // Nothing is chosen: then the row that has the focus is meant.
  function chooseRow() {
    const rows = rowsOf();
    if (!rows.some(boxOf) || rows.some(row => boxOf(row)?.checked)) return;
    const box = boxOf(rowHere());
    if (box) box.click();
    else announce("Choose an incident first: j, then x");
  }

  function press(name) {
    if (ON_ROW.has(name)) chooseRow();
    const found = [...document.querySelectorAll(`[data-key="${CSS.escape(name)}"]`)].filter(isSeen);
    const element = found.find(one => !one.disabled);
    if (!element) return false;
    keepPlace();
    if (element.matches("summary")) unfold(element.parentElement);
    else if (isTyping(element)) element.focus();
    else element.click();
    return true;
  }

  function unfold(details) {
    details.open = true;
    details.querySelector("input:not([type=hidden]), textarea, select, button, a")?.focus();
  }

  const OWN = {
    j: () => move(1), k: () => move(-1), x: choose, o: open, "/": search, "?": showKeys,
    g: () => { begin("g"); return true; },
  };

  function begin(key) {
    begun = key;
    clearTimeout(waiting);
    waiting = setTimeout(() => { begun = ""; }, SEQUENCE_WAIT);
  }

  function act(key) {
    const first = begun;
    begun = "";
    if (first && press(`${first} ${key}`)) return true;
    return (OWN[key] ?? (() => press(key)))();
  }

  document.addEventListener("keydown", event => {
    if (isOff() || event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.length !== 1 || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.repeat && !"jk".includes(event.key)) return;
    if (event.key === " " || (event.shiftKey && event.key.toLowerCase() !== event.key)) return;
    if (act(event.key)) event.preventDefault();
  });

  // After a button, the page is another one: the next j goes on where the last row was.
  function keepPlace() {
    const row = rowHere();
    if (row) sessionStorage.setItem(PLACE, JSON.stringify([location.pathname, rowsOf().indexOf(row)]));
  }

  function placeKept(rows, step) {
    const [path, index] = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]");
    sessionStorage.removeItem(PLACE);
    return path === location.pathname ? Math.max(0, step > 0 ? index : index - 1) : 0;
  }

  function showKeys() {
    if (!document.getElementById("keys")) openKeys();
    return true;
  }

  async function openKeys() {
    const answer = await fetch(`${base}keys`);
    const list = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("keys");
    if (!list) return location.assign(`${base}keys`);
    const dialog = document.createElement("dialog");
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.append(document.adoptNode(list), close);
    dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
}
