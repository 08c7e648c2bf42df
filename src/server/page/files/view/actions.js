// Copying, and the small message at the bottom that may offer to undo.

import {byId, icon, iconButton} from './dom.js';

/** @param {string} text */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);  // pages that came by plain HTTP have no clipboard
  }
}

function copyBySelection(text) {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'hidden-text';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}

/** @param {string} label @param {() => string} text */
export function copyButton(label, text) {
  const button = iconButton('copy', label, async () => {
    if (!await copyText(text())) return toast('The browser did not allow copying.');
    button.replaceChildren(icon('check'));
    announce('Copied');
    setTimeout(() => button.replaceChildren(icon('copy')), 1500);
  });
  return button;
}

/** Says something to screen readers. @param {string} text */
export function announce(text) {
  byId('live').textContent = text;
}

let timer = 0;

/** @param {string} text @param {{label: string, act: () => void}} [action] */
export function toast(text, action) {
  const button = byId('toast-action');
  byId('toast-text').textContent = text;
  button.hidden = !action;
  button.textContent = action?.label ?? '';
  button.onclick = () => {
    byId('toast').hidden = true;
    action?.act();
  };
  byId('toast').hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => { byId('toast').hidden = true; }, 8000);
}
