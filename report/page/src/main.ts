// The page: reads what the program wrote into it, and shows one view at a time. The address behind # names the view, so
// that back and forward of the browser work, from disk too.
import { unpack } from "./arrays";
import { asked } from "./asked";
import { whenThemeChanges } from "./colour";
import type { Report } from "./data";
import { h, name } from "./dom";
import { stopPlayers } from "./player";
import { State, type View } from "./state";
import "./style.css";
import { algorithmsView } from "./views/algorithms";
import { architectureView } from "./views/architecture";
import { flowView } from "./views/flow";
import { gradcheckView } from "./views/gradcheck";
import { kernelsView } from "./views/kernels";
import { liveView } from "./views/live";
import { mistakesView } from "./views/mistakes";
import { runView } from "./views/run";
import { samplesView } from "./views/samples";
import { stepperView } from "./views/stepper";
import { tapeView } from "./views/tape";

const format = 1;

const views: View[] = [
  ...[liveView, runView, architectureView, samplesView, kernelsView, stepperView],
  ...[tapeView, flowView, gradcheckView, mistakesView, algorithmsView],
];

function read(): Report {
  const text = document.getElementById("report")!.textContent ?? "";
  if (!text.startsWith("{")) throw new Error("this is the empty page of a report; `gradus report` fills it");
  const report = JSON.parse(text) as Report;
  if (report.format !== format) throw new Error(`this page reads reports of format ${format}, the report has format ${report.format}`);
  return report;
}

function navigation(offered: View[], report: Report): HTMLElement {
  const bad = report.doctor.filter(({ severity }) => severity === "bad").length;
  const badge = (view: View) => view === flowView && bad > 0 && h("span", { class: "badge" }, `${bad}`, h("span", { class: "hidden" }, " wrong"));
  return h("nav", { "aria-label": "views" }, offered.map((view) => h("a", { href: `#${view.id}`, id: `to-${view.id}` }, view.title, badge(view))));
}

function showView(offered: View[], state: State, main: HTMLElement, byUser: boolean): void {
  stopPlayers();
  const view = offered.find(({ id }) => location.hash === `#${id}`) ?? offered[0];
  for (const { id } of offered) {
    const link = document.getElementById(`to-${id}`)!;
    if (id === view.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view.title} · ${state.report.title}`;
  const title = h("h2", { tabindex: -1 }, view.title);
  const body = h("div", { class: "view" });
  main.replaceChildren(title, body);
  view.show(state, body);
  if (!byUser) return;
  window.scrollTo(0, 0);
  title.focus({ preventScroll: true });
}

function build(report: Report, page: HTMLElement): State {
  const state = new State(report);
  const offered = views.filter((view) => view.missing(report) === null);
  const main = h("main", { id: "main" });
  const skip = h("a", { class: "skip", href: "#main", click: (event: Event) => (event.preventDefault(), main.querySelector("h2")?.focus()) }, "to the view");
  page.replaceChildren(
    skip,
    h("header", {}, h("h1", {}, name(report.title)), h("p", {}, `Gradus ${report.gradus} · ${report.created}`)),
    h("div", { class: "columns" }, navigation(offered, report), main),
  );
  window.addEventListener("hashchange", () => showView(offered, state, main, true));
  whenThemeChanges(() => showView(offered, state, main, false));
  showView(offered, state, main, false);
  return state;
}

async function start(): Promise<void> {
  const page = document.getElementById("page")!;
  try {
    const report = read();
    await unpack(document.getElementById("numbers")!.textContent ?? "");
    const state = build(report, page);
    Object.assign(gradusReport, asked(state), { readyMilliseconds: performance.now() });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    page.replaceChildren(h("main", {}, h("h1", {}, "The report cannot be shown"), h("p", { role: "alert" }, text)));
    throw error;
  }
}

const gradusReport: Record<string, unknown> = {};
Object.assign(window, { gradusReport });
gradusReport.ready = start();
