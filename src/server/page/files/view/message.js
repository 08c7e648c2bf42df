// One message: what was said, and what can be done with it.

import {copyButton} from './actions.js';
import {Answer} from './answer.js';
import {brief, el, icon, iconButton} from './dom.js';
import {describeFigures} from './status.js';

/**
 * @typedef {import('../tree.js').Message} Message
 * @typedef {import('../chat.js').Run} Run
 *
 * @typedef {object} Actions
 * @property {(message: Message, text: string) => void} edit
 * @property {(message: Message) => void} regenerate
 * @property {(message: Message) => void} resume
 * @property {(message: Message, step: number) => void} turn to another version
 */

export class MessageView {
  /** @param {Message} message @param {Actions} actions */
  constructor(message, actions) {
    this.message = message;
    this.actions = actions;
    const user = message.role === 'user';
    this.answer = user ? null : new Answer({retry: () => this.#retry()});
    this.body = el('div', {class: 'body'}, ...(user ? this.#said() : this.answer.parts));
    this.figures = el('span', {class: 'figures'});
    this.turner = el('span', {class: 'turner', hidden: true});
    this.copy = copyButton('Copy', () => message.content);
    this.again = iconButton('again', 'Another answer', () => actions.regenerate(message));
    this.onward = iconButton('onward', 'Continue', () => actions.resume(message));
    this.change = iconButton('edit', 'Edit', () => this.startEdit());
    this.foot = el('footer', {}, this.turner, this.copy,
                   ...(user ? [this.change] : [this.again, this.onward]), this.figures);
    this.element = el('article', {class: `message ${message.role}`, tabindex: '-1',
                                  'aria-label': user ? 'You' : 'Answer'}, this.body, this.foot);
  }

  #said() {
    const documents = this.message.attachments.map(({name, tokens}) => el(
        'li', {}, icon('page'), el('span', {class: 'name'}, name),
        tokens === null ? null : el('span', {class: 'count'}, `${brief(tokens)} tokens`)));
    const text = el('div', {class: 'plain-text'}, this.message.content);
    return [documents.length > 0 && el('ul', {class: 'documents'}, ...documents),
            this.message.content !== '' && text];
  }

  #retry() {
    const {content, reasoning} = this.message;
    if (content || reasoning) this.actions.resume(this.message);
    else this.actions.regenerate(this.message);
  }

  /**
   * @param {Run|undefined} run when this message is being written
   * @param {boolean} busy some message of the conversation is
   * @param {Message[]} versions
   */
  update(run, busy, versions) {
    const {message} = this;
    this.answer?.update(message, run);
    this.element.setAttribute('aria-busy', run ? 'true' : 'false');
    this.foot.hidden = Boolean(run);
    this.figures.textContent = run ? '' : describeFigures(message);
    this.copy.hidden = !message.content;
    for (const button of [this.again, this.onward, this.change]) button.disabled = busy;
    const begun = Boolean(message.content || message.reasoning);
    this.onward.hidden = !begun || message.finish === 'stop';
    this.#updateTurner(busy, versions);
  }

  #updateTurner(busy, versions) {
    this.turner.hidden = versions.length < 2;
    if (this.turner.hidden) return;
    const at = versions.indexOf(this.message);
    const label = `${at + 1}/${versions.length}`;
    const state = `${label} ${busy}`;
    if (this.turner.dataset.state === state) return;
    this.turner.dataset.state = state;
    const turn = (step) => () => this.actions.turn(this.message, step);
    this.turner.replaceChildren(
        iconButton('left', 'Previous version', turn(-1), {disabled: busy || at === 0}),
        el('span', {'aria-label': `Version ${at + 1} of ${versions.length}`}, label),
        iconButton('right', 'Next version', turn(1),
                   {disabled: busy || at === versions.length - 1}));
  }

  /** Replaces the text by a field; sending it makes another version. */
  startEdit() {
    if (this.form || this.message.role !== 'user') return;
    const field = el('textarea', {rows: '2', 'aria-label': 'Edit the message'});
    field.value = this.message.content;
    this.form = el('form', {class: 'edit', onsubmit: (event) => this.#submit(event, field)}, field,
        el('div', {class: 'row'},
           el('button', {type: 'button', onclick: () => this.#endEdit()}, 'Cancel'),
           el('button', {class: 'primary'}, 'Send')));
    field.addEventListener('keydown', (event) => this.#editKey(event));
    this.body.hidden = true;
    this.foot.hidden = true;
    this.body.after(this.form);
    field.focus();
  }

  #editKey(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      this.#endEdit();
    } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.form.requestSubmit();
    }
  }

  #submit(event, field) {
    event.preventDefault();
    const text = field.value.trim();
    if (!text && this.message.attachments.length === 0) return;
    this.#endEdit();
    this.actions.edit(this.message, text);
  }

  #endEdit() {
    this.form.remove();
    this.form = null;
    this.body.hidden = false;
    this.foot.hidden = false;
    this.change.focus();
  }
}
