// Blocks of code: coloured, with their language and a button that copies them.

import {copyButton} from './view/actions.js';
import {el} from './view/dom.js';

const MAX_COLOURED = 100000;
const ALIASES = new Map([['latex', 'tex'], ['c', 'cpp'], ['jsonc', 'json'], ['text', 'plaintext']]);

// Version 9 says in the console that its authors have gone on to others. What it writes is sanitized,
// and Debian keeps it.
hljs.configure({hideUpgradeWarningAcceptNoSupportOrSecurityUpdates: true});

/** @param {Element} code */
function colour(code, language) {
  const name = ALIASES.get(language) ?? language;
  if (!hljs.getLanguage(name) || code.textContent.length > MAX_COLOURED) return;
  const html = hljs.highlight(name, code.textContent, true).value;
  code.replaceChildren(DOMPurify.sanitize(
      html, {ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'], RETURN_DOM_FRAGMENT: true}));
}

/** Dresses every `pre` below `root`. @param {Element|DocumentFragment} root */
export function dressCode(root) {
  for (const pre of root.querySelectorAll('pre')) {
    const code = pre.querySelector('code') ?? pre;
    const language = /^language-([\w+#.-]{1,30})$/.exec(code.className)?.[1].toLowerCase() ?? '';
    const text = code.textContent;
    try {
      if (language) colour(code, language);
    } catch {
      code.textContent = text;
    }
    pre.tabIndex = 0;  // so that the keyboard can scroll it
    pre.setAttribute('aria-label', language ? `Code, ${language}` : 'Code');
    const head = el('div', {class: 'code-head'}, el('span', {}, language),
                    copyButton('Copy code', () => text.replace(/\n$/, '')));
    const frame = el('div', {class: 'code'}, head);
    pre.replaceWith(frame);
    frame.append(pre);
  }
}
