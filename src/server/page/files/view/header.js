// The line above the messages: title, model, how much of the context is used; and what is wrong.

import {brief, byId, el, grouped} from './dom.js';

/** @param {import('../chat.js').Chat} chat */
export function setUpHeader(chat) {
  const draw = () => {
    const title = chat.conversation.title || 'New conversation';
    byId('title').textContent = title;
    document.title = `${title} \u00b7 Ringlet`;
    drawGauge(chat);
  };
  chat.addEventListener('shown', draw);
  chat.addEventListener('message', () => drawGauge(chat));
  chat.addEventListener('unsaved', () => showNotice(
      'This browser could not store the conversation. Free some space, or export it.'));
}

/** @param {import('../chat.js').Chat} chat */
function drawGauge(chat) {
  const gauge = byId('gauge');
  const context = chat.server?.context;
  gauge.hidden = !context;
  if (!context) return;
  // While a prompt is read its length is known before the answer's figures are.
  const used = chat.run?.progress?.total ?? chat.used;
  const part = Math.min(1, used / context);
  gauge.querySelector('.fill').style.width = `${100 * part}%`;
  gauge.querySelector('.figures').textContent = `${brief(used)} / ${brief(context)}`;
  gauge.dataset.level = part > 0.95 ? 'full' : part > 0.8 ? 'high' : '';
  gauge.title = `${grouped(used)} of ${grouped(context)} tokens of context used`;
  gauge.setAttribute('aria-valuenow', used);
  gauge.setAttribute('aria-valuemax', context);
  gauge.setAttribute('aria-valuetext', gauge.title);
}

/** @param {import('../chat.js').Chat} chat */
export function showServer(chat) {
  const {model, context, template, thinking} = chat.server;
  byId('model').textContent = model;
  byId('model').title = model;
  byId('welcome-model').textContent = context ? `${model}, ${grouped(context)} tokens of context`
                                              : model;
  byId('thinking-field').hidden = !thinking;
  drawGauge(chat);
  if (template) return showNotice(null);
  showNotice('This model has no chat template: it continues text and may not answer. Load an ' +
             'instruction-tuned model to chat.');
}

/** @param {string|null} text null: nothing is wrong @param {{label: string, act: () => void}} [action] */
export function showNotice(text, action) {
  const notice = byId('notice');
  notice.hidden = text === null;
  notice.replaceChildren(...(text === null ? [] : [el('span', {}, text)]));
  if (action) notice.append(el('button', {type: 'button', onclick: action.act}, action.label));
}
