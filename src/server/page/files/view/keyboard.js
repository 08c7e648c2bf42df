// Everything that keys do outside fields. Alt+Shift is free in browsers; letters alone work on a
// message that has the focus.

import {copyText, toast} from './actions.js';
import {byId} from './dom.js';

/** What the list of shortcuts shows: keys, apart by spaces, and what they do. */
export const SHORTCUTS = [
  ['Enter', 'Send the message'],
  ['Shift Enter', 'New line'],
  ['Esc', 'Stop the answer; close what is open'],
  ['\u2191', 'In an empty message field: edit the last message'],
  ['/', 'Go to the message field'],
  ['Alt \u2191', 'Previous message'],
  ['Alt \u2193', 'Next message'],
  ['C', 'On a message: copy it'],
  ['E', 'On a message of yours: edit it'],
  ['R', 'On an answer: another one'],
  ['O', 'On an answer that was stopped: continue'],
  ['\u2190 \u2192', 'On a message: its other versions'],
  ['Alt Shift N', 'New conversation'],
  ['Alt Shift C', 'List of conversations'],
  ['Alt Shift F', 'Search conversations'],
  ['\u2191 \u2193', 'In the list: move; F2 renames, Delete deletes'],
  ['Alt Shift A', 'Attach documents'],
  ['Alt Shift S', 'Settings'],
  ['Alt Shift L', 'Light or dark'],
  ['?', 'This list'],
];

/** @param {EventTarget|null} target */
const isField = (target) => target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/**
 * @param {import('../chat.js').Chat} chat
 * @param {import('./messages.js').Messages} messages
 * @param {Record<string, () => void>} commands by `KeyboardEvent.code`, with Alt+Shift; "Slash" and
 *     "Question" by themselves
 */
export function setUpKeyboard(chat, messages, commands) {
  document.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]')) return;
    const act = find(event, chat, messages, commands);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function find(event, chat, messages, commands) {
  const {key, code, altKey, shiftKey, ctrlKey, metaKey, target} = event;
  if (ctrlKey || metaKey) return undefined;
  // By code, not by key: with Alt the key may be any sign.
  if (altKey && shiftKey) return commands[code];
  if (altKey) return {ArrowUp: () => messages.moveFocus(-1), ArrowDown: () => messages.moveFocus(1)}[key];
  if (key === 'Escape') return escape(chat, commands);
  if (isField(target)) return undefined;
  if (key === '/') return commands.Slash;
  if (key === '?') return commands.Question;
  return onMessage(key, messages.focused);
}

function escape(chat, commands) {
  if (byId('app').dataset.sidebar === 'over') return commands.KeyC;
  return chat.run ? () => chat.stop() : undefined;
}

/** @param {string} key @param {import('./message.js').MessageView|undefined} view */
function onMessage(key, view) {
  if (!view) return undefined;
  const {message, actions, again, onward, change} = view;
  const user = message.role === 'user';
  const busy = again.disabled || onward.disabled || change.disabled;
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case 'c': return async () => toast(await copyText(message.content) ? 'Copied' : 'Could not copy');
    case 'e': return user && !busy ? () => view.startEdit() : undefined;
    case 'r': return !user && !busy ? () => actions.regenerate(message) : undefined;
    case 'o': return !user && !busy && !onward.hidden ? () => actions.resume(message) : undefined;
    case 'ArrowLeft': return () => actions.turn(message, -1);
    case 'ArrowRight': return () => actions.turn(message, 1);
    default: return undefined;
  }
}
