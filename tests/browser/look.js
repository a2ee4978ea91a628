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

  // What is pressed and smaller than 24 pixels; a box is as large as the label around it.
  small() {
    const pressed = "button, summary, select, input:not([type=hidden]), .button, nav a";
    const seen = one => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".skip, .hidden");
    const boxOf = one => (one.matches("input") ? one.closest("label") ?? one : one).getBoundingClientRect();
    const words = one => `${one.outerHTML.slice(0, 80)} ${boxOf(one).width} x ${boxOf(one).height}`;
    const isSmall = ({ width, height }) => width && (width < 24 || height < 24);
    return [...document.querySelectorAll(pressed)].filter(one => seen(one) && isSmall(boxOf(one))).map(words);
  },

  // Ids that stand twice: what is laid over a page finds its place by them.
  doubled() {
    const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
    return ids.filter((id, index) => ids.indexOf(id) !== index);
  },
})
