// The graph of the net: which boxes are seen when some modules are open, where dagre lays them, and the drawing.
import dagre from "@dagrejs/dagre";
import type { Report, TapeNode } from "./data";
import { s, type Child } from "./dom";
import { count, shape } from "./format";

type Point = { x: number; y: number };

interface Box extends Point {
  id: string;
  width: number;
  height: number;
  title: string;
  subtitle: string;
  kind: "module" | "op" | "input" | "cluster";
  index: number;
}

interface Edge {
  points: Point[];
  label: string;
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  boxes: Box[];
  edges: Edge[];
}

const chain = (report: Report, module: number): number[] => {
  const found: number[] = [];
  for (let at = Math.max(0, module); at >= 0 && report.modules[at]; at = report.modules[at].parent) found.unshift(at);
  return found;
};

/// "m3": the module in which a node disappears; "n17": the node itself, since all modules around it are open.
export function boxOf(report: Report, open: ReadonlySet<number>, node: TapeNode): string {
  const closed = node.role === "op" ? chain(report, node.module).find((module) => !open.has(module)) : undefined;
  return closed === undefined ? `n${report.nodes.indexOf(node)}` : `m${closed}`;
}

const clipped = (text: string, most = 30): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function describe(report: Report, id: string): Omit<Box, "x" | "y"> {
  const index = Number(id.slice(1));
  if (id.startsWith("m")) {
    const module = report.modules[index];
    const title = clipped(module.path.split(".").at(-1) || module.type);
    const subtitle = clipped(`${module.type}${module.parameters > 0 ? ` · ${count(module.parameters)} parameters` : ""}`, 40);
    return { id, title, subtitle, kind: "module", index, height: 50, width: Math.max(120, 8.2 * title.length + 24, 6.8 * subtitle.length + 24) };
  }
  const node = report.nodes[index];
  const parameters = node.inputs.filter((i) => report.nodes[i]?.role === "parameter").map((i) => shape(report.nodes[i].shape));
  const title = clipped(node.role === "op" ? node.op : node.name || node.role);
  const subtitle = clipped(node.role === "op" ? parameters.join(", ") : shape(node.shape), 40);
  const height = subtitle ? 46 : 34;
  return { id, title, subtitle, kind: node.role === "op" ? "op" : "input", index, height, width: Math.max(84, 8.2 * title.length + 24, 6.8 * subtitle.length + 24) };
}

export function layOut(report: Report, open: ReadonlySet<number>): Layout {
  const graph = new dagre.graphlib.Graph({ compound: true, multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 34, edgesep: 14, marginx: 12, marginy: 24 });
  const boxes = new Map<string, Omit<Box, "x" | "y">>();
  const clusters = new Set<number>();
  const add = (node: TapeNode): string => {
    const id = boxOf(report, open, node);
    if (boxes.has(id)) return id;
    const box = describe(report, id);
    boxes.set(id, box);
    graph.setNode(id, { width: box.width, height: box.height });
    const around = node.role === "op" ? chain(report, node.module).filter((module) => open.has(module) && module !== 0 && id !== `m${module}`) : [];
    around.forEach((module, i) => {
      if (!clusters.has(module)) graph.setNode(`c${module}`, {});
      clusters.add(module);
      if (i > 0) graph.setParent(`c${module}`, `c${around[i - 1]}`);
    });
    if (around.length > 0) graph.setParent(id, `c${around[around.length - 1]}`);
    return id;
  };
  const isDrawn = (node: TapeNode | undefined): node is TapeNode => node !== undefined && (node.role === "op" || node.role === "input");
  for (const node of report.nodes) {
    if (!isDrawn(node)) continue;
    const to = add(node);
    for (const input of node.inputs.map((i) => report.nodes[i]).filter(isDrawn)) {
      const from = add(input);
      const label = shape(input.shape);
      if (from !== to) graph.setEdge(from, to, { label, width: 6.6 * label.length + 8, height: 16, labelpos: "c" }, label);
    }
  }
  dagre.layout(graph);
  const size = graph.graph() as { width: number; height: number };
  const place = (id: string) => graph.node(id) as Point & { width: number; height: number };
  const drawnClusters = [...clusters]
    .sort((a, b) => a - b)
    .map((index): Box => ({ ...place(`c${index}`), id: `c${index}`, title: clipped(report.modules[index].path), subtitle: report.modules[index].type, kind: "cluster", index }));
  const drawnBoxes = [...boxes.values()].map((box): Box => ({ ...box, x: place(box.id).x, y: place(box.id).y }));
  return { ...size, boxes: [...drawnClusters, ...drawnBoxes], edges: graph.edges().map((edge) => graph.edge(edge) as unknown as Edge) };
}

function curve(points: Point[]): string {
  const [first, ...rest] = points;
  const parts = rest.map((point, i) => {
    const before = i === 0 ? first : rest[i - 1];
    const middle = (before.y + point.y) / 2;
    return `C${before.x} ${middle} ${point.x} ${middle} ${point.x} ${point.y}`;
  });
  return `M${first.x} ${first.y}${parts.join("")}`;
}

/// A group that acts as a button, for the pointer and for the keyboard.
function pressable(key: string, press: () => void, attributes: Record<string, string>, ...children: Child[]): SVGGElement {
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    press();
  };
  const group = s("g", { role: "button", tabindex: 0, click: press, keydown: onKey, ...attributes }, ...children);
  group.dataset.key = key;
  return group;
}

const titleHeight = 10; // of an open module, above what dagre leaves round its parts

export function drawGraph(layout: Layout, press: { module: (index: number) => void; op: (index: number) => void }): SVGSVGElement {
  const box = (b: Box): SVGGElement => {
    const above = b.kind === "cluster" ? titleHeight : 0;
    const corner = { x: b.x - b.width / 2, y: b.y - b.height / 2 - above, width: b.width, height: b.height + above, rx: 8 };
    const rect = s("rect", corner);
    if (b.kind === "cluster") {
      const title = s("text", { x: corner.x + 8, y: corner.y + 14, class: "title" }, b.title);
      return pressable(`m${b.index}`, () => press.module(b.index), { class: "cluster", "aria-expanded": "true" }, rect, title);
    }
    const middle = b.subtitle ? -3 : 5;
    const texts = [s("text", { x: b.x, y: b.y + middle, class: "title" }, b.title), " ", b.subtitle && s("text", { x: b.x, y: b.y + 15, class: "subtitle" }, b.subtitle)];
    return b.kind === "module"
      ? pressable(`m${b.index}`, () => press.module(b.index), { class: "module", "aria-expanded": "false" }, rect, ...texts)
      : pressable(b.id, () => press.op(b.index), { class: b.kind }, rect, ...texts);
  };
  const edge = ({ points, label, x, y }: Edge): Child[] => [
    s("path", { d: curve(points), class: "edge", "marker-end": "url(#arrow)" }),
    s("text", { x, y: y + 4, class: "shape" }, label),
  ];
  const arrow = s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0 8 4 0 8z" }));
  const [clusters, others] = [layout.boxes.filter((b) => b.kind === "cluster"), layout.boxes.filter((b) => b.kind !== "cluster")];
  return s(
    "svg",
    { class: "graph", width: layout.width, height: layout.height, viewBox: `0 0 ${layout.width} ${layout.height}`, role: "group", "aria-label": "modules and operations, from input to loss" },
    s("defs", {}, arrow),
    clusters.map(box),
    layout.edges.map(edge),
    others.map(box),
  );
}
