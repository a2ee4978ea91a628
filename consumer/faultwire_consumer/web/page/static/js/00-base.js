"use strict";
// What every page has: times in the reader's zone, menus that close, what is copied, and the theme at once.

const root = document.documentElement;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const base = document.currentScript.src.replace(/static\/page\.js.*$/, "");

function keepCookie(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31622400; samesite=strict`;
}

function twoDigits(number) {
  return String(number).padStart(2, "0");
}

const shownTimes = {
  moment: moment => {
    const date = `${moment.getFullYear()}-${twoDigits(moment.getMonth() + 1)}-${twoDigits(moment.getDate())}`;
    const name = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(moment).find(part => part.type === "timeZoneName");
    return `${date} ${twoDigits(moment.getHours())}:${twoDigits(moment.getMinutes())}:${twoDigits(moment.getSeconds())} ${name.value}`;
  },
  short: moment => {
    const clock = `${twoDigits(moment.getHours())}:${twoDigits(moment.getMinutes())}`;
    if (moment.toDateString() === new Date().toDateString()) return clock;
    const month = moment.toLocaleString("en-GB", { month: "short" });
    const year = moment.getFullYear() === new Date().getFullYear() ? "" : ` ${moment.getFullYear()}`;
    return `${moment.getDate()} ${month}${year} ${clock}`;
  },
};

// The server knows the zone from the next page on: only the first one is shown anew here.
function showTimes(within) {
  if (root.dataset.zone === zone) return;
  for (const element of within.querySelectorAll("time[data-time]")) {
    const moment = new Date(element.dateTime);
    const shown = shownTimes[element.dataset.time];
    if (shown) element.textContent = shown(moment);
    if (element.title) element.title = shownTimes.moment(moment);
  }
}

function keepZone() {
  if (zone && !/(^|; )faultwire_zone=/.test(document.cookie)) {
    keepCookie("faultwire_zone", zone);
    showTimes(document);
    root.dataset.zone = zone;
  }
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(except)) menu.open = false;
}

// Whoever listens to a click finds what it is about by data-…: no page has a script of its own.
document.addEventListener("click", event => {
  closeMenus(event.target);
  const copier = event.target.closest("[data-copy]");
  if (copier) copyText(copier);
});

document.addEventListener("change", event => {
  if (event.target.name === "theme") root.dataset.theme = event.target.value;
});

async function copyText(copier) {
  const source = document.querySelector(copier.dataset.copy);
  const text = copier.dataset.copyUrl ? await (await fetch(base + copier.dataset.copyUrl)).text() : source ? source.value ?? source.textContent : copier.dataset.copy;
  await navigator.clipboard.writeText(text);
  announce(copier.dataset.copied || "Copied");
}

// Said aloud by a screen reader, and shown for a moment.
function announce(text) {
  let box = document.getElementById("announced");
  if (!box) {
    box = document.createElement("p");
    box.id = "announced";
    box.setAttribute("role", "status");
    document.body.append(box);
  }
  box.textContent = text;
  clearTimeout(box.timer);
  box.timer = setTimeout(() => { box.textContent = ""; }, 4000);
}

document.addEventListener("keydown", event => {
  if (event.key === "Escape") closeMenus(null);
});
document.addEventListener("DOMContentLoaded", keepZone);
