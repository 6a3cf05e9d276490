(operation, args) => {
  // Runs in a world of its own: the page's scripts cannot change what it calls.
  // Each operation answers a plain object; a refusal is thrown as one.
  const refuse = (kind, selector, reason, field) => {
    throw { refusal: { kind, selector, reason, field } };
  };
  const find = (selector, field) => {
    try {
      return document.querySelector(selector);
    } catch {
      refuse("selector", selector, undefined, field);
    }
  };
  const findAll = (selector, field) => {
    try {
      return [...document.querySelectorAll(selector)];
    } catch {
      refuse("selector", selector, undefined, field);
    }
  };
  const must = (selector) => find(selector) ?? refuse("missing", selector);
  const hidden = (element) => {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) return "it has no area";
    const style = getComputedStyle(element);
    if (style.visibility !== "visible") return "it is hidden";
    return null;
  };
  const name = (element) =>
    element.tagName.toLowerCase() + (element.id ? `#${element.id}` : "");
  const shown = (element) => (element.innerText ?? element.textContent ?? "").trim();

  // How one element is read.
  const read = (element, what) => {
    switch (what) {
      case "text":
        return shown(element);
      case "html":
        return element.innerHTML;
      case "outerHtml":
        return element.outerHTML;
      case "value":
        return element.value ?? null;
      case "links":
        return [...element.querySelectorAll("a[href]")].map((a) => ({
          text: shown(a),
          href: String(a.href),
        }));
      case "table":
        return [...element.querySelectorAll("tr")].map((row) =>
          [...row.children].filter((c) => /^T[DH]$/.test(c.tagName)).map(shown),
        );
      case "href":
      case "src":
      case "action":
        return element.hasAttribute(what)
          ? new URL(element.getAttribute(what), element.baseURI).href
          : null;
      default:
        return element.getAttribute(what);
    }
  };

  // What a field is, for filling.
  const kind = (element) => {
    if (element instanceof HTMLSelectElement) return "select";
    if (element instanceof HTMLTextAreaElement) return "text";
    if (element instanceof HTMLInputElement) {
      if (element.type === "checkbox" || element.type === "radio") return "check";
      if (["file", "button", "submit", "reset", "image", "hidden"].includes(element.type))
        return null;
      return "text";
    }
    return element.isContentEditable ? "rich" : null;
  };
  const option = (element, value) =>
    [...element.options].find((o) => o.value === value) ??
    [...element.options].find((o) => o.label.trim() === value);
  const changed = (element) => {
    element.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    element.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const operations = {
    place() {
      const entry = performance.getEntriesByType("navigation")[0];
      return { url: location.href, title: document.title, status: entry?.responseStatus ?? 0 };
    },

    look() {
      const element = find(args.selector);
      if (!element) return { found: false, visible: false };
      const reason = hidden(element);
      return { found: true, visible: reason === null, reason };
    },

    reach() {
      const element = find(args.selector);
      if (!element) return { found: false };
      const no = (reason) => ({ found: true, reason });
      const reason = hidden(element);
      if (reason) return no(reason);
      if (element.matches(":disabled")) return no("it is disabled");
      element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      // An inline element over two lines has a middle where it is not.
      const box = [...element.getClientRects()].find((b) => b.width && b.height);
      if (!box) return no("it has no area");
      const x = box.x + box.width / 2;
      const y = box.y + box.height / 2;
      let top = document.elementFromPoint(x, y);
      while (top?.shadowRoot) {
        const inner = top.shadowRoot.elementFromPoint(x, y);
        if (!inner || inner === top) break;
        top = inner;
      }
      if (!top) return no("it is outside of the view");
      const same = element.contains(top) || top.contains(element) || top.getRootNode().host === element;
      const label = [...(element.labels ?? [])].some((l) => l.contains(top));
      if (!same && !label) return no(`it is covered by ${name(top)}`);
      return { found: true, x, y };
    },

    focus() {
      const element = must(args.selector);
      const what = kind(element);
      if (what !== "text" && what !== "rich") {
        refuse("interaction", args.selector, `${name(element)} takes no text`);
      }
      if (element.readOnly) refuse("interaction", args.selector, "it is read-only");
      element.focus();
      if (what === "text") {
        const end = element.value.length;
        if (args.clear) element.select();
        // Some kinds of fields have no cursor to be set.
        else try { element.setSelectionRange(end, end); } catch {}
      } else {
        const range = document.createRange();
        range.selectNodeContents(element);
        if (!args.clear) range.collapse(false);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
      }
      return {};
    },

    extract() {
      const out = {};
      let size = 0;
      const weigh = (value) => {
        size += JSON.stringify(value)?.length ?? 4;
        if (size > args.max) {
          refuse("limit", undefined, `the data has more than ${args.max} characters; ask for fewer selectors`);
        }
        return value;
      };
      for (const [key, selector, what] of args.selectors) {
        const field = `selectors.${key}`;
        if (args.multiple) {
          out[key] = findAll(selector, field).map((e) => weigh(read(e, what)));
        } else {
          const element = find(selector, field);
          out[key] = element ? weigh(read(element, what)) : null;
        }
      }
      return out;
    },

    fill() {
      const found = args.fields.map(([selector, value]) => {
        const element = must(selector);
        const what = kind(element);
        if (!what) refuse("interaction", selector, `${name(element)} cannot be filled`);
        if (element.matches(":disabled") || element.readOnly) {
          refuse("interaction", selector, "it is disabled or read-only");
        }
        if (what === "select" && !option(element, value)) {
          refuse("interaction", selector, "the list has no such option");
        }
        return { selector, element, what, value };
      });
      found.sort((a, b) =>
        a.element.compareDocumentPosition(b.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1,
      );
      for (const { selector, element, what, value } of found) {
        element.focus();
        if (what === "check") {
          const wanted = !["false", "off", "0", ""].includes(value.toLowerCase());
          if (element.checked !== wanted) element.click();
          if (element.checked !== wanted) return { late: "it does not take the value", selector };
        } else if (what === "select") {
          element.value = option(element, value).value;
          changed(element);
        } else if (what === "rich") {
          element.textContent = value;
          changed(element);
        } else {
          element.value = value;
          // A field of numbers or dates empties itself when the value is none.
          if (element.value === "" && value !== "") {
            return { late: `its type ${element.type} does not take the value`, selector };
          }
          changed(element);
        }
      }
      return {};
    },

    measure() {
      if (args.part === "element") {
        const element = must(args.selector);
        element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
        const box = element.getBoundingClientRect();
        return { x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height };
      }
      if (args.part === "view") {
        return { x: scrollX, y: scrollY, width: innerWidth, height: innerHeight };
      }
      const root = document.documentElement;
      const body = document.body ?? root;
      return {
        x: 0,
        y: 0,
        width: Math.max(root.scrollWidth, body.scrollWidth),
        height: Math.max(root.scrollHeight, body.scrollHeight),
      };
    },
  };

  try {
    return { value: operations[operation]() };
  } catch (thrown) {
    if (thrown?.refusal) return { error: thrown.refusal };
    throw thrown;
  }
}
