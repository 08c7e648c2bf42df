// Dialogs that ask for one thing, and the list of shortcuts.

import {byId, el} from './dom.js';
import {SHORTCUTS} from './keyboard.js';

/**
 * Shows a dialog with one field.
 * @param {string} name of the dialog, and the beginning of its parts' ids
 * @param {string} value to begin with
 * @returns {Promise<string|null>} null: cancelled
 */
function askOne(name, value) {
  const dialog = byId(name);
  const field = byId(`${name}-value`);
  field.value = value;
  dialog.returnValue = '';
  byId(`${name}-cancel`).onclick = () => dialog.close('');
  dialog.showModal();
  field.select();
  return new Promise((resolve) => dialog.addEventListener('close', () => {
    const given = field.value.trim();
    field.value = '';
    resolve(dialog.returnValue === 'ok' && given ? given : null);
  }, {once: true}));
}

/** @param {boolean} refused */
export function askKey(refused) {
  byId('key-text').textContent = refused ? 'The server did not accept this key. Check it and try again.'
      : 'This server wants an API key: the one that it was started with.';
  return askOne('key', '');
}

/** @param {string} title */
export function askTitle(title) {
  return askOne('rename', title);
}

export function showShortcuts() {
  byId('shortcut-list').replaceChildren(...SHORTCUTS.map(([keys, what]) => el(
      'div', {}, el('dt', {}, ...keys.split(' ').map((key) => el('kbd', {}, key))),
      el('dd', {}, what))));
  byId('shortcuts').showModal();
}
