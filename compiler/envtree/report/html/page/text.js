// Elements and texts. Whatever comes from a file is put into the page as text, never as markup.

/** What does not print, or would move the text around it. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** An element with attributes and children; a function is a listener, what is no value is left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

/** A picture from the top of the page; the words beside it say the same. */
function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#${name}`);
  picture.setAttribute("class", `icon ${name}`);
  picture.setAttribute("aria-hidden", "true");
  picture.append(use);
  return picture;
}

/** A text with a sign for each character that cannot be seen; line breaks stay where there is room for lines. */
function visible(text, lines = false) {
  return text.replace(UNSEEN, (character) => {
    if (character === "\n") return lines ? "\n" : "↵";
    if (character === "\t") return lines ? "\t" : "⇥";
    return `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** `1 bundle`, `2 bundles`. */
function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** `path:line:column`, as editors and terminals know it. */
function placeText(path, line, column) {
  if (!path) return "";
  return line ? `${path}:${line}${column ? `:${column}` : ""}` : path;
}

/** A path that breaks behind its slashes. */
function breakable(path) {
  return visible(path)
    .split(/(?<=\/)/)
    .flatMap((part) => [part, make("wbr")]);
}

const byId = (id) => document.getElementById(id);
