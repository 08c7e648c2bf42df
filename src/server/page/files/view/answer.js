// The parts of an answer: folded thoughts, Markdown, progress, errors, figures.

import {Markdown} from '../markdown.js';
import {el} from './dom.js';
import {describeRun, describeThinking} from './status.js';

/**
 * @typedef {import('../tree.js').Message} Message
 * @typedef {import('../chat.js').Run} Run
 */

class Thoughts {
  constructor() {
    this.summary = el('summary');
    this.body = el('div', {class: 'text'});
    this.element = el('details', {class: 'thoughts', hidden: true}, this.summary, this.body);
    this.markdown = new Markdown(this.body);
    this.element.addEventListener('toggle', () => this.#draw());
  }

  /** @param {Message} message @param {Run|undefined} run */
  update(message, run) {
    this.text = message.reasoning;
    this.element.hidden = !message.reasoning;
    const label = describeThinking(message, run);
    if (this.summary.textContent !== label) this.summary.textContent = label;
    this.element.classList.toggle('busy', run?.phase === 'thinking');
    this.#draw();
  }

  // What is folded costs nothing.
  #draw() {
    if (this.element.open) this.markdown.update(this.text ?? '');
  }
}

export class Answer {
  /** @param {{retry: () => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.thoughts = new Thoughts();
    this.body = el('div', {class: 'text answer'});
    this.status = el('p', {class: 'status', hidden: true});
    this.progress = el('progress', {max: '1', 'aria-label': 'Prompt read', hidden: true});
    this.problem = el('div', {class: 'problem', role: 'alert', hidden: true});
    this.markdown = new Markdown(this.body);
    this.parts = [this.thoughts.element, this.body, this.status, this.progress, this.problem];
  }

  /** @param {Message} message @param {Run|undefined} run */
  update(message, run) {
    this.thoughts.update(message, run);
    this.markdown.update(message.content);
    this.body.hidden = !message.content;
    this.#updateStatus(run);
    this.#updateProblem(message);
  }

  #updateStatus(run) {
    const waiting = run?.phase === 'waiting' || run?.phase === 'prompt';
    this.status.hidden = !waiting;
    this.progress.hidden = true;
    if (!waiting) return;
    const {text, part} = describeRun(run);
    if (this.status.textContent !== text) this.status.textContent = text;
    if (part === null) return;
    this.progress.hidden = false;
    this.progress.value = part;
  }

  #updateProblem({error}) {
    this.problem.hidden = !error;
    if (!error) return this.problem.replaceChildren();
    if (this.problem.dataset.said === error.message) return;
    this.problem.dataset.said = error.message;
    this.problem.replaceChildren(
        el('p', {}, el('strong', {}, error.message), ` ${error.advice}`),
        el('button', {type: 'button', onclick: this.actions.retry}, 'Try again'));
  }
}
