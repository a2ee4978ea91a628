// What a test asks of a page that is open, in its own words.
({
  // What reaches beyond the screen's sides, but for what can be scrolled there.
  overflow() {
    const scrolls = element => {
      for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
        if (getComputedStyle(at).overflowX !== "visible") return true;
      }
      return false;
    };
    const found = [...document.querySelectorAll("body *")].filter(element => {
      const box = element.getBoundingClientRect();
      if (!box.width || !element.checkVisibility() || element.closest(".skip, .hidden, svg *")) return false;
      return (box.right > innerWidth + 1 || box.left < -1) && !scrolls(element);
    });
    const words = found.map(one => `${one.tagName.toLowerCase()}.${one.className} ${one.textContent.slice(0, 40)}`);
    const width = document.documentElement.scrollWidth;
    return width > innerWidth ? [`the page is ${width} wide`, ...words] : words;
  },

  // Ids that stand twice: what is laid over a page finds its place by them.
  doubled() {
    const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
    return ids.filter((id, index) => ids.indexOf(id) !== index);
  },
})
