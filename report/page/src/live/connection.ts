// The program that serves this page, where one does: it has put the element "live" into it. A file from disk has none,
// and asks nobody anything.
import type { Value } from "../data";

export interface Facts {
  token: string; // by which it knows that a wish comes from its own page
  folder: string;
  views_of_step: number; // the other views show the weights after so many steps
  classes: string[];
  pad: { channels: number; height: number; width: number } | null; // null: the net was not trained on pictures
}

export interface LiveEpoch {
  epoch: number;
  lr: Value;
  train_loss: Value;
  validation_loss: Value;
  validation_accuracy: Value;
  test_loss: Value;
  test_accuracy: Value;
}

export interface News {
  state: "running" | "paused" | "finished";
  step: number;
  steps: number;
  epoch: number;
  epochs: number;
  lr: number;
  images_per_second: Value;
  new_steps: [number, Value, Value][]; // step, loss, learning rate
  new_epochs: LiveEpoch[];
}

export interface Guess {
  step: number;
  probabilities: Value[];
}

const text = document.getElementById("live")?.textContent;
export const facts: Facts | null = text ? (JSON.parse(text) as Facts) : null;

/// Throws with what the program says where it refuses, and with what fetch() says where it is gone.
async function answerTo(request: Promise<Response>): Promise<Response> {
  const response = await request;
  if (!response.ok) throw new Error((await response.text()).trim() || `the program answers ${response.status}`);
  return response;
}

const post = (path: string, body?: BodyInit): Promise<Response> =>
  answerTo(fetch(path, { method: "POST", body, headers: { "X-Gradus-Token": facts!.token } }));

export async function wish(path: "/pause" | "/go" | "/step" | "/rate" | "/refresh", body = ""): Promise<void> {
  await post(path, body);
}

export async function guess(pixels: Uint8Array<ArrayBuffer>): Promise<Guess> {
  return (await (await post("/guess", pixels)).json()) as Guess;
}

const mostSteps = 4000;

/// What is known of the training, asked for anew twice a second while somebody looks.
export class Training {
  steps: [number, Value, Value][] = [];
  epochs: LiveEpoch[] = [];
  news: News | null = null;
  gone = false; // the program does not answer
  private readonly listeners = new Set<() => boolean>();
  private timer = 0;

  /// Calls `listener` whenever something is new, until it returns false.
  listen(listener: () => boolean): void {
    this.listeners.add(listener);
    this.soon(0);
  }

  soon(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), milliseconds);
  }

  private async ask(): Promise<void> {
    const beat = this.gone || document.hidden ? 2000 : 500;
    try {
      const after = `step=${this.steps.at(-1)?.[0] ?? 0}&epoch=${this.epochs.at(-1)?.epoch ?? 0}`;
      this.add((await (await answerTo(fetch(`/news?${after}`))).json()) as News);
      this.gone = false;
    } catch {
      this.gone = true;
    }
    for (const listener of [...this.listeners]) if (!listener()) this.listeners.delete(listener);
    if (this.listeners.size > 0) this.soon(beat);
  }

  private add(news: News): void {
    // Another answer may have come in between, with the same.
    this.steps.push(...news.new_steps.filter(([step]) => step > (this.steps.at(-1)?.[0] ?? 0)));
    this.epochs.push(...news.new_epochs.filter(({ epoch }) => epoch > (this.epochs.at(-1)?.epoch ?? 0)));
    if (this.steps.length > mostSteps) this.steps = this.steps.filter((_, i) => i % 2 === (this.steps.length - 1) % 2);
    this.news = news;
  }
}

export const training = new Training();
