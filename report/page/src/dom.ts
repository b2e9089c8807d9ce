// Elements by name. Text of the report enters the page as text nodes and attributes alone, never as markup, and in <bdi>
// where a name may be written from right to left.

export type Child = Node | string | number | null | undefined | false | Child[];
type Handler = (event: never) => void;
export type Attributes = Record<string, string | number | boolean | null | undefined | Handler>;

function fill(element: Element, attributes: Attributes, children: Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value as unknown as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, ...children);
}

export function append(element: Element, ...children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, ...child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

export const name = (text: string): HTMLElement => h("bdi", {}, text);

export const note = (...children: Child[]): HTMLElement => h("p", { class: "note" }, ...children);

let unique = 0;
export const freshId = (prefix: string): string => `${prefix}-${++unique}`;

/// A label and its control, side by side.
export function field(label: string, control: HTMLElement): HTMLElement {
  control.dataset.key = label;
  return h("label", { class: "field" }, h("span", {}, label), control);
}

export function select(options: string[], chosen: number, change: (index: number) => void): HTMLSelectElement {
  const element = h(
    "select",
    { change: () => change(element.selectedIndex) },
    options.map((text) => h("option", {}, text)),
  );
  element.selectedIndex = chosen;
  return element;
}

export function button(label: Child, press: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return h("button", { type: "button", click: press, ...attributes }, label);
}

/// Draws anew, and gives the focus back to the control that had it.
export function keepingFocus(root: HTMLElement, draw: () => void): void {
  const key = root.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.key : undefined;
  draw();
  if (key === undefined) return;
  [...root.querySelectorAll<HTMLElement>("[data-key]")].find((element) => element.dataset.key === key)?.focus();
}

/// What is wider than the page scrolls by itself, with the keyboard too.
export const scroll = (label: string, ...children: Child[]): HTMLElement =>
  h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);

export function table(label: string, head: Child[], rows: Child[][], numeric: number[] = []): HTMLElement {
  const style = (column: number) => (numeric.includes(column) ? "number" : null);
  return scroll(
    label,
    h(
      "table",
      {},
      h("caption", { class: "hidden" }, label),
      h("thead", {}, h("tr", {}, head.map((cell, i) => h("th", { scope: "col", class: style(i) }, cell)))),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h("tr", {}, row.map((cell, i) => (i === 0 ? h("th", { scope: "row", class: style(i) }, cell) : h("td", { class: style(i) }, cell)))),
        ),
      ),
    ),
  );
}

export function download(fileName: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  h("a", { href: address, download: fileName }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/// Tells a screen reader what a picture now shows.
let status: HTMLElement | null = null;
export function announce(text: string): void {
  if (!status?.isConnected) {
    status = h("div", { class: "hidden", role: "status" });
    document.body.append(status);
  }
  status.textContent = text;
}
